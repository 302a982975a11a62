use expect_test::expect;
use sls_api::ops::indexes::{CreateIndex, DeleteIndex, GetIndex, Index, UpdateIndex};
use sls_api::{Json, NoQuery};

use super::bed::{Bed, logstore};

fn index(text: &str) -> Json<Index> {
    Json(serde_json::from_str(text).unwrap())
}

const LINE: &str = r#"{"line":{"token":[" ",","],"caseSensitive":false,"chn":false}}"#;

#[tokio::test]
async fn an_index_comes_back_as_sent_with_the_fields_of_the_service() {
    let bed = Bed::with_logstore().await;
    let sent = r#"{"line":{"token":[",","\t"," "],"caseSensitive":true,"chn":true,"exclude_keys":["b"]},"keys":{"a":{"type":"json","token":[";"],"caseSensitive":false,"chn":false,"doc_value":true,"alias":"x","index_all":true,"max_depth":-1,"json_keys":{"k.l":{"type":"long","doc_value":true}}}},"max_text_len":4096,"log_reduce":true,"log_reduce_white_list":["w"]}"#;
    bed.send::<CreateIndex>(&logstore("ls"), &NoQuery {}, &index(sent)).await.unwrap();
    let Json(got) = bed.send::<GetIndex>(&logstore("ls"), &NoQuery {}, &()).await.unwrap();
    assert!(got.last_modify_time.is_some_and(|time| time > 1_700_000_000));
    let got = Index { last_modify_time: None, ..got };
    expect![[r#"{"ttl":30,"line":{"token":[",","\t"," "],"caseSensitive":true,"chn":true,"exclude_keys":["b"]},"keys":{"a":{"type":"json","token":[";"],"caseSensitive":false,"chn":false,"doc_value":true,"alias":"x","index_all":true,"max_depth":-1,"json_keys":{"k.l":{"type":"long","doc_value":true}}}},"max_text_len":4096,"log_reduce":true,"index_mode":"v2","storage":"pg","log_reduce_white_list":["w"]}"#]]
        .assert_eq(&serde_json::to_string(&got).unwrap());
}

#[tokio::test]
async fn a_logstore_has_at_most_one_index() {
    let bed = Bed::with_logstore().await;
    let path = logstore("ls");
    let get = async || bed.shown::<GetIndex>(&path, &NoQuery {}, &()).await;
    let delete = async || bed.shown::<DeleteIndex>(&path, &NoQuery {}, &()).await;
    let body = index(LINE);
    expect!["400 IndexConfigNotExist: index config doesn't exist."].assert_eq(&get().await);
    expect!["400 ParameterInvalid: log store index is not created."]
        .assert_eq(&bed.shown::<UpdateIndex>(&path, &NoQuery {}, &body).await);
    expect!["400 ParameterInvalid: log store index is not created."].assert_eq(&delete().await);
    expect!["ok ()"].assert_eq(&bed.shown::<CreateIndex>(&path, &NoQuery {}, &body).await);
    expect!["400 IndexAlreadyExist: Logstore index is already created."]
        .assert_eq(&bed.shown::<CreateIndex>(&path, &NoQuery {}, &body).await);
    expect!["ok ()"].assert_eq(&bed.shown::<UpdateIndex>(&path, &NoQuery {}, &body).await);
    expect!["ok ()"].assert_eq(&delete().await);
    expect!["400 IndexConfigNotExist: index config doesn't exist."].assert_eq(&get().await);
    expect!["ok ()"].assert_eq(&bed.shown::<CreateIndex>(&path, &NoQuery {}, &body).await);
}

#[tokio::test]
async fn an_index_that_makes_no_sense_is_refused_with_the_reason() {
    let bed = Bed::with_logstore().await;
    let create =
        async |text: &str| bed.shown::<CreateIndex>(&logstore("ls"), &NoQuery {}, &index(text)).await;
    expect!["400 IndexInfoInvalid: An index needs line, keys or both."].assert_eq(&create("{}").await);
    expect!["400 IndexInfoInvalid: line has include_keys and exclude_keys; use one of them."]
        .assert_eq(&create(r#"{"line":{"token":[],"include_keys":["a"],"exclude_keys":["b"]}}"#).await);
    expect!["400 IndexInfoInvalid: max_text_len must be 64 to 16384, not 1."]
        .assert_eq(&create(r#"{"line":{"token":[]},"max_text_len":1}"#).await);
    expect![[r#"400 IndexInfoInvalid: The field "a" has json_keys, but its type is not json."#]]
        .assert_eq(&create(r#"{"keys":{"a":{"type":"text","json_keys":{"b":{"type":"long"}}}}}"#).await);
    expect!["ok ()"].assert_eq(&create(r#"{"keys":{"a":{"type":"text","json_keys":{}}}}"#).await);
}
