//! Consumer groups. Who gets which shard is decided in [`crate::consumers`].

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use rusqlite::Transaction;
use sls_api::Json;
use sls_api::operation::DecodeError;
use sls_api::ops::consumer_groups::{
    CheckPoint, ConsumerGroup, ConsumerGroupHeartBeat, ConsumerGroupUpdateCheckPoint, CreateConsumerGroup,
    DeleteConsumerGroup, GetCheckPoint, ListConsumerGroup, UpdateConsumerGroup,
};
use sls_api::ops::cursors::decode_cursor;

use crate::consumers::{self, Beat};
use crate::error::ApiError;
use crate::route::{Call, Operations};
use crate::store::consumer_groups::{self, Group};
use crate::store::logstores::{self, ReadTarget};
use crate::store::shards;

/// Most consumer groups of a Logstore. Source: limits document (30).
const GROUPS_MAX: usize = 30;
/// Most live consumers of a group (own choice; more than shards, who would have nothing to do).
const CONSUMERS_MAX: usize = 1_000;
/// Longest name of a consumer, in bytes. Source: guess, as that of a group.
const CONSUMER_NAME_BYTES_MAX: usize = 128;
/// Longest time-out, in seconds. Source: guess; a day.
const TIMEOUT_S_MAX: i64 = 86_400;
/// Most shards in a heartbeat (own choice; above what a Logstore can have in years of splits).
const HELD_MAX: usize = 10_000;

/// Registers the operations of this file.
pub fn operations(ops: Operations) -> Operations {
    ops.op_or(bad_body, create)
        .op_or(bad_body, update)
        .op(delete)
        .op(list)
        .op_or(bad_body, heartbeat)
        .op_or(bad_body, update_checkpoint)
        .op(checkpoints)
}

fn bad_body(error: DecodeError) -> ApiError {
    match error {
        DecodeError::Json(error) => {
            ApiError::JsonInfoInvalid(format!("The body is not as expected: {error}"))
        }
        other => other.into(),
    }
}

async fn create(call: Call<CreateConsumerGroup>) -> Result<(), ApiError> {
    let (Json(group), name) = (call.body, call.path.logstore);
    check_timeout(group.timeout)?;
    call.context
        .write(move |tx, project| {
            consumer_groups::create(tx, logstores::find(tx, project, &name)?, &group, GROUPS_MAX)
        })
        .await
}

fn check_timeout(timeout: i64) -> Result<(), ApiError> {
    match (1..=TIMEOUT_S_MAX).contains(&timeout) {
        true => Ok(()),
        false => {
            Err(ApiError::JsonInfoInvalid(format!("timeout must be 1 to {TIMEOUT_S_MAX}, not {timeout}")))
        }
    }
}

async fn update(call: Call<UpdateConsumerGroup>) -> Result<(), ApiError> {
    let (Json(change), path) = (call.body, call.path);
    change.timeout.map_or(Ok(()), check_timeout)?;
    call.context
        .write(move |tx, project| {
            let logstore = logstores::find(tx, project, &path.logstore)?;
            consumer_groups::update(tx, consumer_groups::find(tx, logstore, &path.consumer_group)?, change)
        })
        .await
}

async fn delete(call: Call<DeleteConsumerGroup>) -> Result<(), ApiError> {
    let path = call.path;
    call.context
        .write(move |tx, project| {
            let logstore = logstores::find(tx, project, &path.logstore)?;
            consumer_groups::delete(tx, consumer_groups::find(tx, logstore, &path.consumer_group)?)
        })
        .await
}

async fn list(call: Call<ListConsumerGroup>) -> Result<Json<Vec<ConsumerGroup>>, ApiError> {
    let name = call.path.logstore;
    call.context
        .read(move |db, project| consumer_groups::list(db, logstores::find(db, project, &name)?))
        .await
        .map(Json)
}

async fn heartbeat(call: Call<ConsumerGroupHeartBeat>) -> Result<Json<Vec<u32>>, ApiError> {
    let (path, consumer, Json(held), now) = (call.path, call.query.consumer, call.body, call.context.now);
    check_consumer(&consumer)?;
    if held.0.len() > HELD_MAX {
        return Err(ApiError::JsonInfoInvalid(format!("more than {HELD_MAX} shards are held")));
    }
    let held: BTreeSet<u32> = held.0.into_iter().collect();
    let shards = call
        .context
        .write(move |tx, project| {
            let target = logstores::read_target(tx, project, &path.logstore, now)?;
            let group = consumer_groups::find(tx, target.id, &path.consumer_group)?;
            beat(tx, target, group, &consumer, &held, now)
        })
        .await?;
    Ok(Json(shards.into_iter().collect()))
}

fn check_consumer(name: &str) -> Result<(), ApiError> {
    match (1..=CONSUMER_NAME_BYTES_MAX).contains(&name.len()) {
        true => Ok(()),
        false => Err(ApiError::ParameterInvalid(format!(
            "The parameter consumer must have 1 to {CONSUMER_NAME_BYTES_MAX} bytes, not {}",
            name.len()
        ))),
    }
}

fn beat(
    tx: &Transaction<'_>,
    target: ReadTarget,
    group: Group,
    consumer: &str,
    held: &BTreeSet<u32>,
    now: Timestamp,
) -> Result<BTreeSet<u32>, ApiError> {
    consumer_groups::drop_silent(tx, group, now)?;
    let mut live = consumer_groups::consumers(tx, group)?;
    if !live.contains(consumer) {
        if !held.is_empty() {
            return Err(ApiError::NotExistConsumerWithBody(consumer.to_owned()));
        }
        if live.len() >= CONSUMERS_MAX {
            return Err(ApiError::ParameterInvalid(format!(
                "the group has {CONSUMERS_MAX} consumers already"
            )));
        }
        live.insert(consumer.to_owned());
    }
    consumer_groups::note_heartbeat(tx, group, consumer, now)?;

    let progress = consumer_groups::progress(tx, target, group)?;
    let to_read = consumers::to_read(&progress, &shards::parents(tx, target.id)?, group.ordered);
    let owners = consumer_groups::owners(tx, group)?;
    let owners: BTreeMap<u32, &str> = owners.iter().map(|(shard, name)| (*shard, name.as_str())).collect();
    let live = live.iter().map(String::as_str).collect();
    let divided = consumers::divide(&to_read, &live, &owners);
    let Beat { released, taken, may_read } = consumers::beat(consumer, held, &owners, &divided);
    for shard in released {
        consumer_groups::release(tx, group, shard)?;
    }
    for shard in taken {
        consumer_groups::take(tx, group, shard, consumer)?;
    }
    Ok(may_read)
}

async fn update_checkpoint(call: Call<ConsumerGroupUpdateCheckPoint>) -> Result<(), ApiError> {
    let (path, query, Json(given), now) = (call.path, call.query, call.body, call.context.now);
    let cursor = decode_cursor(&given.checkpoint)
        .filter(|cursor| *cursor >= 0)
        .ok_or_else(|| ApiError::InvalidShardCheckPoint(given.checkpoint.chars().take(100).collect()))?;
    let forced = query.force_success.unwrap_or_default();
    let consumer = query.consumer.unwrap_or_default();
    if !forced {
        check_consumer(&consumer)?;
    }
    call.context
        .write(move |tx, project| {
            let logstore = logstores::find(tx, project, &path.logstore)?;
            let group = consumer_groups::find(tx, logstore, &path.consumer_group)?;
            match shards::get(tx, logstore, given.shard) {
                Err(ApiError::ShardNotExist(shard)) => return Err(ApiError::CheckPointShardNotExist(shard)),
                found => found?,
            };
            if !forced {
                check_owner(tx, group, given.shard, &consumer, now)?;
            }
            consumer_groups::set_checkpoint(tx, group, given.shard, cursor, &consumer, now)
        })
        .await
}

/// Only who holds a shard may say how far it was read. Source: document
/// "ConsumerGroupUpdateCheckPoint".
fn check_owner(
    tx: &Transaction<'_>,
    group: Group,
    shard: u32,
    consumer: &str,
    now: Timestamp,
) -> Result<(), ApiError> {
    if !consumer_groups::lives(tx, group, consumer, now)? {
        return Err(ApiError::ConsumerNotExist(consumer.to_owned()));
    }
    match consumer_groups::owners(tx, group)?.get(&shard) {
        Some(owner) if owner == consumer => Ok(()),
        _ => Err(ApiError::ConsumerNotMatch { consumer: consumer.to_owned(), shard }),
    }
}

async fn checkpoints(call: Call<GetCheckPoint>) -> Result<Json<Vec<CheckPoint>>, ApiError> {
    let (path, wanted) = (call.path, call.query.shard);
    let mut found = call
        .context
        .read(move |db, project| {
            let logstore = logstores::find(db, project, &path.logstore)?;
            let group = consumer_groups::find(db, logstore, &path.consumer_group)?;
            consumer_groups::checkpoints(db, logstore, group)
        })
        .await?;
    found.retain(|checkpoint| wanted.is_none_or(|shard| shard == checkpoint.shard));
    Ok(Json(found))
}
