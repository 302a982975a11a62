//! Documents of an account: resources with their records, topology stores with nodes and
//! relations, collection policies, configs of agents.

use super::calls::{PLAIN, calls, exists, items, missing};
use super::stored_as::{RESOURCE, TOPOSTORE};
use super::{Filter, Key, Kind, List, Place, Shape, Test};
use crate::names::{COLLECTED_NAME, RECORD_ID, RESOURCE_NAME};
use crate::operation::{Source, Tier};

pub(super) const KINDS: &[&Kind] =
    &[&RESOURCES, &RECORDS, &TOPOSTORES, &NODES, &RELATIONS, &COLLECTION_POLICIES, &AGENT_INSTANCE_CONFIGS];

/// Resources that every account has, for the users, policies and templates of alerts. Source: Go
/// SDK (`TestUser` writes records without making the resource), `ResourceName` of the Java SDK.
pub const BUILT_IN_RESOURCES: &[&str] = &[
    "sls.common.user",
    "sls.common.user_group",
    "sls.alert.action_policy",
    "sls.alert.action_webhook",
    "sls.alert.alert_policy",
    "sls.alert.content_template",
    "sls.alert.global_config",
    "sls.alert.webhook_application",
];

/// Topostores that every account has. Source: JavaSDK ClientTopostoreTest, which lists what is in it.
pub const BUILT_IN_TOPOSTORES: &[&str] = &["sls"];

const RESOURCES: Kind = Kind {
    stored_as: RESOURCE,
    noun: "resource",
    place: Place::Account,
    key: Key::Field("name", &RESOURCE_NAME),
    required: &[("schema", Shape::Text), ("type", Shape::Text)],
    kept: &["type", "schema", "description", "acl", "extInfo"],
    // The Python SDK parses it, whether it was given or not.
    unset: &[("acl", "{}")],
    list: List {
        filters: &[
            Filter { parameter: "type", pointer: "/type", test: Test::Is },
            Filter { parameter: "names", pointer: "/name", test: Test::OneOf },
        ],
        ..items("items")
    },
    missing: missing("ResourceNotExist", "resource {} does not exist"),
    exists: exists("ResourceAlreadyExist", "resource {} already exists"),
    tier: Tier::B,
    source: Source::Sdk("python, go: create_resource"),
    calls: calls![
        Create CreateResource POST "/resources",
        Get GetResource GET "/resources/{name}",
        Update UpdateResource PUT "/resources/{name}",
        Delete DeleteResource DELETE "/resources/{name}",
        List ListResource GET "/resources",
    ],
    ..PLAIN
};

const RECORDS: Kind = Kind {
    stored_as: "record",
    noun: "resource record",
    place: Place::Within { parent: RESOURCE },
    key: Key::Field("id", &RECORD_ID),
    required: &[("value", Shape::Text)],
    kept: &["tag"],
    list: List {
        filters: &[
            Filter { parameter: "tag", pointer: "/tag", test: Test::Is },
            Filter { parameter: "ids", pointer: "/id", test: Test::OneOf },
        ],
        ..items("items")
    },
    missing: missing("ResourceRecordNotExist", "resource record {} does not exist"),
    exists: exists("ResourceRecordAlreadyExist", "resource record {} already exists"),
    tier: Tier::B,
    source: Source::Sdk("python, go: create_resource_record"),
    calls: calls![
        Create CreateResourceRecord POST "/resources/{parent}/records",
        Get GetResourceRecord GET "/resources/{parent}/records/{name}",
        Update UpdateResourceRecord PUT "/resources/{parent}/records/{name}",
        PutMany("records") UpsertResourceRecord PUT "/resources/{parent}/records",
        DeleteMany("ids") DeleteResourceRecord DELETE "/resources/{parent}/records",
        List ListResourceRecord GET "/resources/{parent}/records",
    ],
    ..PLAIN
};

const TOPOSTORES: Kind = Kind {
    stored_as: TOPOSTORE,
    noun: "topostore",
    place: Place::Account,
    key: Key::Field("name", &COLLECTED_NAME),
    kept: &["schema", "acl", "extInfo", "description"],
    unset: &[("schema", "{}"), ("acl", "{}"), ("tag", "{}")],
    list: List {
        filters: &[
            Filter { parameter: "names", pointer: "/name", test: Test::OneOf },
            Filter { parameter: "tagKey", pointer: "/tag", test: Test::HasKey },
            Filter { parameter: "tagValue", pointer: "/tag", test: Test::HasValue },
            Filter { parameter: "tags", pointer: "/tag", test: Test::HasPairs },
        ],
        ..items("items")
    },
    missing: missing("TopostoreNotExist", "topostore {} does not exist"),
    exists: exists("TopostoreAlreadyExist", "topostore {} already exists"),
    source: Source::Sdk("python: create_topostore"),
    calls: calls![
        Create CreateTopostore POST "/topostores",
        Get GetTopostore GET "/topostores/{name}",
        Update UpdateTopostore PUT "/topostores/{name}",
        Delete DeleteTopostore DELETE "/topostores/{name}",
        List ListTopostore GET "/topostores",
    ],
    ..PLAIN
};

const PROPERTY_KEY: Filter = Filter { parameter: "propertyKey", pointer: "/property", test: Test::HasKey };
const PROPERTY_VALUE: Filter =
    Filter { parameter: "propertyValue", pointer: "/property", test: Test::HasValue };
const PROPERTIES: Filter = Filter { parameter: "properties", pointer: "/property", test: Test::HasPairs };

const NODES: Kind = Kind {
    stored_as: "node",
    noun: "topostore node",
    place: Place::Within { parent: TOPOSTORE },
    key: Key::Field("nodeId", &RECORD_ID),
    required: &[("nodeType", Shape::Text)],
    kept: &["nodeType"],
    unset: &[("property", "{}")],
    list: List {
        filters: &[
            Filter { parameter: "nodeIds", pointer: "/nodeId", test: Test::OneOf },
            Filter { parameter: "nodeTypes", pointer: "/nodeType", test: Test::OneOf },
            PROPERTY_KEY,
            PROPERTY_VALUE,
            PROPERTIES,
        ],
        ..items("items")
    },
    missing: missing("TopostoreNodeNotExist", "topostore node {} does not exist"),
    exists: exists("TopostoreNodeAlreadyExist", "topostore node {} already exists"),
    source: Source::Sdk("python: create_topostore_node"),
    calls: calls![
        Create CreateTopostoreNode POST "/topostores/{parent}/nodes",
        Get GetTopostoreNode GET "/topostores/{parent}/nodes/{name}",
        Update UpdateTopostoreNode PUT "/topostores/{parent}/nodes/{name}",
        PutMany("nodes") UpsertTopostoreNode PUT "/topostores/{parent}/nodes",
        DeleteMany("nodeIds") DeleteTopostoreNode DELETE "/topostores/{parent}/nodes",
        List ListTopostoreNode GET "/topostores/{parent}/nodes",
    ],
    ..PLAIN
};

const RELATIONS: Kind = Kind {
    stored_as: "relation",
    noun: "topostore relation",
    place: Place::Within { parent: TOPOSTORE },
    key: Key::Field("relationId", &RECORD_ID),
    required: &[("relationType", Shape::Text), ("srcNodeId", Shape::Text), ("dstNodeId", Shape::Text)],
    kept: &["relationType", "srcNodeId", "dstNodeId"],
    unset: &[("property", "{}")],
    list: List {
        filters: &[
            Filter { parameter: "relationIds", pointer: "/relationId", test: Test::OneOf },
            Filter { parameter: "relationTypes", pointer: "/relationType", test: Test::OneOf },
            Filter { parameter: "srcNodeIds", pointer: "/srcNodeId", test: Test::OneOf },
            Filter { parameter: "dstNodeIds", pointer: "/dstNodeId", test: Test::OneOf },
            PROPERTY_KEY,
            PROPERTY_VALUE,
            PROPERTIES,
        ],
        ..items("items")
    },
    missing: missing("TopostoreRelationNotExist", "topostore relation {} does not exist"),
    exists: exists("TopostoreRelationAlreadyExist", "topostore relation {} already exists"),
    source: Source::Sdk("python: create_topostore_relation"),
    calls: calls![
        Create CreateTopostoreRelation POST "/topostores/{parent}/relations",
        Get GetTopostoreRelation GET "/topostores/{parent}/relations/{name}",
        Update UpdateTopostoreRelation PUT "/topostores/{parent}/relations/{name}",
        PutMany("relations") UpsertTopostoreRelation PUT "/topostores/{parent}/relations",
        DeleteMany("relationIds") DeleteTopostoreRelation DELETE "/topostores/{parent}/relations",
        List ListTopostoreRelation GET "/topostores/{parent}/relations",
    ],
    ..PLAIN
};

const COLLECTION_POLICIES: Kind = Kind {
    stored_as: "collectionpolicy",
    noun: "collection policy",
    place: Place::Account,
    key: Key::Field("policyName", &COLLECTED_NAME),
    required: &[("productCode", Shape::Text), ("dataCode", Shape::Text)],
    shown_in: Some("collectionPolicy"),
    list: List {
        filters: &[
            Filter { parameter: "policyName", pointer: "/policyName", test: Test::Is },
            Filter { parameter: "productCode", pointer: "/productCode", test: Test::Is },
            Filter { parameter: "dataCode", pointer: "/dataCode", test: Test::Is },
        ],
        counts: ("currentCount", "totalCount"),
        ..items("data")
    },
    missing: missing("PolicyNotExist", "collection policy {} does not exist"),
    calls: calls![
        Put UpsertCollectionPolicy POST "/collectionpolicy",
        Get GetCollectionPolicy GET "/collectionpolicy/{name}",
        Delete DeleteCollectionPolicy DELETE "/collectionpolicy/{name}",
        List ListCollectionPolicies GET "/collectionpolicy",
    ],
    ..PLAIN
};

/// One for each type: that several may differ in their attributes is left out.
const AGENT_INSTANCE_CONFIGS: Kind = Kind {
    stored_as: "agentinstanceconfig",
    noun: "agent instance config",
    place: Place::Account,
    key: Key::Field("configType", &COLLECTED_NAME),
    kept: &["attributes"],
    list: List {
        filters: &[Filter { parameter: "configType", pointer: "/configType", test: Test::Is }],
        ..items("configs")
    },
    missing: missing("ConfigNotExist", "agent instance config {} does not exist"),
    exists: exists("ConfigAlreadyExist", "agent instance config {} already exists"),
    calls: calls![
        Create CreateAgentInstanceConfig POST "/agentinstanceconfigs",
        Get GetAgentInstanceConfig GET "/agentinstanceconfigs/{name}",
        Update UpdateAgentInstanceConfig PUT "/agentinstanceconfigs/{name}",
        Delete DeleteAgentInstanceConfig DELETE "/agentinstanceconfigs/{name}",
        List ListAgentInstanceConfigs GET "/agentinstanceconfigs",
    ],
    ..PLAIN
};
