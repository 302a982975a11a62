//! Every operation over HTTP, against a server started in process; one file per resource.

mod access;
mod agents;
mod bed;
mod consumer_groups;
mod cursors;
mod documents;
mod expiry;
mod indexes;
mod logs;
mod logstores;
mod logtail_configs;
mod machine_groups;
mod objects;
mod persistence;
mod projects;
mod quotas;
mod raw;
mod reference;
mod replay;
mod routing;
mod scripts;
mod shards;
mod state;
mod tls;
mod tracking;
mod transcript;
