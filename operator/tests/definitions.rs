//! Both definitions, held up to the API server: it takes them, rules and all, and would store them as they are.

mod support;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, Patch, PatchParams};
use operator::crd::{crd, pipeline_crd};
use support::*;

#[tokio::test]
async fn the_api_server_takes_both() {
    let bed = Bed::with(Options { operator: false, ..Options::default() }).await;
    let definitions: Api<CustomResourceDefinition> = Api::all(bed.kube.clone());
    for definition in [crd(), pipeline_crd()] {
        let name = definition.metadata.name.clone().unwrap();
        // Nothing is stored: other tests have theirs.
        let params = PatchParams { dry_run: true, ..PatchParams::apply("sls-operator-test").force() };
        let taken = definitions.patch(&name, &params, &Patch::Apply(&definition)).await.unwrap();
        let schema = |of: &CustomResourceDefinition| of.spec.versions[0].schema.clone();
        assert_eq!(schema(&taken), schema(&definition), "{name}");
    }
}
