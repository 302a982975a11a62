//! The status of a ClusterAliyunPipelineConfig from and to that of an AliyunLogConfig, in which the operator thinks.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use crate::crd::{
    AliyunLogConfigStatus, ClusterAliyunPipelineConfig, ClusterAliyunPipelineConfigStatus, LastAppliedConfig,
};

/// `message` of an object that is fully applied. Source: vendor's document of the kind.
const SUCCESS: &str = "success";
/// What an AliyunLogConfig says then.
const OK: &str = "OK";
/// `statusCode` of either then.
const CODE_OK: i32 = 200;

pub(super) fn read(status: &ClusterAliyunPipelineConfigStatus) -> AliyunLogConfigStatus {
    let is_ok = status.status_code == Some(CODE_OK);
    AliyunLogConfigStatus {
        status: if is_ok { Some(OK.to_owned()) } else { status.message.clone() },
        status_code: status.status_code,
        observed_generation: status.observed_generation,
        applied_generation: status.applied_generation,
        project: status.project.clone(),
        config_name: status.config_name.clone(),
        applied_machine_groups: status.applied_machine_groups.clone(),
        applied_config_tags: None,
        created: None,
        last_error: status.last_error.clone(),
        last_sync_time: status.last_update_time.clone(),
        conditions: status.conditions.clone(),
    }
}

/// What this kind cannot say is left out: it has no tags, and does not delete what it has created.
pub(super) fn write(
    status: &AliyunLogConfigStatus,
    object: Option<&ClusterAliyunPipelineConfig>,
) -> ClusterAliyunPipelineConfigStatus {
    let is_ok = status.status_code == Some(CODE_OK);
    let before = object.and_then(|object| object.status.as_ref()?.last_applied_config.clone());
    let is_applied = object.is_some_and(|object| {
        is_ok
            && status.applied_generation.is_some()
            && status.applied_generation == object.metadata.generation
    });
    let content =
        object.filter(|_| is_applied).and_then(|object| serde_json::to_string(&object.spec.config).ok());
    let last_applied_config = match (content, before) {
        (Some(content), Some(before)) if content == before.content => Some(before),
        (Some(content), _) => {
            let applied_time = status.last_sync_time.clone().unwrap_or(Time(jiff::Timestamp::UNIX_EPOCH));
            Some(LastAppliedConfig { applied_time, content })
        }
        (None, before) => before,
    };
    ClusterAliyunPipelineConfigStatus {
        success: status.status_code.map(|_| is_ok),
        message: if is_ok { Some(SUCCESS.to_owned()) } else { status.status.clone() },
        last_update_time: status.last_sync_time.clone(),
        last_applied_config,
        status_code: status.status_code,
        observed_generation: status.observed_generation,
        applied_generation: status.applied_generation,
        project: status.project.clone(),
        config_name: status.config_name.clone(),
        applied_machine_groups: status.applied_machine_groups.clone(),
        last_error: status.last_error.clone(),
        conditions: status.conditions.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_again_and_the_config_that_was_taken_stays() {
        let mut object: ClusterAliyunPipelineConfig = serde_json::from_value(json!({
            "apiVersion": "telemetry.alibabacloud.com/v1alpha1", "kind": "ClusterAliyunPipelineConfig",
            "metadata": {"name": "access", "generation": 2},
            "spec": {"project": {"name": "project-a"}, "config": {"inputs": [], "flushers": []}},
        }))
        .unwrap();
        let applied = AliyunLogConfigStatus {
            status: Some(OK.to_owned()),
            status_code: Some(CODE_OK),
            applied_generation: Some(2),
            ..AliyunLogConfigStatus::default()
        };
        let status = write(&applied, Some(&object));
        assert_eq!((status.success, status.message.as_deref()), (Some(true), Some(SUCCESS)));
        assert_eq!(read(&status), applied);
        let content = status.last_applied_config.clone().unwrap().content;
        assert_eq!(content, r#"{"inputs":[],"flushers":[]}"#);

        object.status = Some(status.clone());
        object.metadata.generation = Some(3);
        let failed = AliyunLogConfigStatus {
            status: Some("it is wrong".to_owned()),
            status_code: Some(400),
            ..applied
        };
        let after = write(&failed, Some(&object));
        assert_eq!((after.success, after.message.as_deref()), (Some(false), Some("it is wrong")));
        assert_eq!(after.last_applied_config, status.last_applied_config);
        assert_eq!(read(&after), failed);
    }
}
