"""The Python SDK: what belongs to an account and not to a project. Resources with their records,
and topologies."""

import pytest
from aliyun.log.resource_params import Resource, ResourceRecord, ResourceSchemaItem
from aliyun.log.topostore_params import Topostore, TopostoreNode, TopostoreRelation

from conftest import code


@pytest.fixture
def resource(client, project_name):
    """A resource with a column; its name is as unique as that of a project."""
    name = "user." + project_name.replace("-", "_")
    schema = [ResourceSchemaItem(column="city", schema_type="string", ext_info="")]
    client.create_resource(Resource(name, "userdefine", schema, "first", ext_info="{}"))
    yield name
    client.delete_resource(name)


def test_resources(client, resource):
    got = client.get_resource(resource).get_resource()
    assert (got.get_resource_name(), got.get_resource_type(), got.get_description()) == (resource, "userdefine", "first")
    assert [item.to_dict()["column"] for item in got.get_schema()] == ["city"]
    client.update_resource(Resource(resource, "userdefine", got.get_schema(), "second", ext_info="{}"))
    assert client.get_resource(resource).get_resource().get_description() == "second"
    listed = client.list_resources(resource_names=[resource])
    assert (listed.get_count(), [one.get_resource_name() for one in listed.get_resources()]) == (1, [resource])
    again = Resource(resource, "userdefine", got.get_schema(), "third")
    assert code(client.create_resource, again) == "ResourceAlreadyExist"
    assert code(client.get_resource, "user.missing") == "ResourceNotExist"


def test_records_of_a_resource(client, resource):
    def record(name, city, tag="t"):
        return ResourceRecord(name, tag, {"city": city})

    client.create_resource_record(resource, record("a", "Bern"))
    got = client.get_resource_record(resource, "a").get_record()
    assert (got.get_record_id(), got.get_tag(), got.get_value()) == ("a", "t", {"city": "Bern"})
    client.update_resource_record(resource, record("a", "Rome"))
    client.upsert_resource_record(resource, [record("a", "Oslo"), record("b", "Kyiv", "u")])
    listed = client.list_resource_records(resource)
    assert {one.get_record_id(): one.get_value()["city"] for one in listed.get_records()} == {"a": "Oslo", "b": "Kyiv"}
    assert [one.get_record_id() for one in client.list_resource_records(resource, tag="u").get_records()] == ["b"]
    assert client.list_resource_records(resource, record_ids=["a"]).get_total() == 1
    client.delete_resource_record(resource, ["a", "b"])
    assert client.list_resource_records(resource).get_total() == 0
    assert code(client.get_resource_record, resource, "a") == "ResourceRecordNotExist"


def test_topologies_with_nodes_and_relations(client, project_name):
    name = f"topo-{project_name}"
    client.create_topostore(Topostore(name, {"k": "v"}, {}, "first"))
    client.update_topostore(Topostore(name, {"k": "v"}, {}, "second"))
    got = client.get_topostore(name).get_topostore()
    assert (got.get_name(), got.get_description()) == (name, "second")
    assert client.list_topostores([name]).get_total() == 1
    for node in ("web", "db"):
        client.create_topostore_node(name, TopostoreNode(node, "host", {"zone": "a"}, "", node.upper()))
    client.update_topostore_node(name, TopostoreNode("web", "host", {"zone": "b"}, "", "WEB"))
    client.upsert_topostore_node(name, [TopostoreNode("db", "host", {"zone": "c"}, "", "DB")])
    node = client.get_topostore_node(name, "web").get_node()
    assert (node.get_node_type(), node.get_property(), node.get_display_name()) == ("host", {"zone": "b"}, "WEB")
    nodes = client.list_topostore_node(name).get_nodes()
    assert {one.get_node_id(): one.get_property()["zone"] for one in nodes} == {"web": "b", "db": "c"}
    client.create_topostore_relation(name, TopostoreRelation("r", "uses", "web", "db", {"p": 1}))
    client.update_topostore_relation(name, TopostoreRelation("r", "uses", "web", "db", {"p": 2}))
    client.upsert_topostore_relation(name, [TopostoreRelation("s", "uses", "db", "web", {"p": 3})])
    relation = client.get_topostore_relation(name, "r").get_relation()
    assert (relation.get_src_node_id(), relation.get_dst_node_id(), relation.get_property()) == ("web", "db", {"p": 2})
    assert client.list_topostore_relation(name).get_total() == 2
    client.delete_topostore_relation(name, ["r", "s"])
    assert client.list_topostore_relation(name).get_total() == 0
    client.delete_topostore_node(name, ["web", "db"])
    assert client.list_topostore_node(name).get_total() == 0
    client.delete_topostore(name)
    assert code(client.get_topostore, name) == "TopostoreNotExist"
