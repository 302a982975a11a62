//! Logtail configs as people write them, and as collectors take them.
//!
//! A config has a *classic* form (`inputDetail`, flat camelCase keys, what the API and the
//! AliyunLogConfig resource hold) and a *pipeline* form (inputs, processors, flushers, what an
//! agent runs). The operator completes and checks the classic form; the mock translates it for
//! the agents, as the service does, and hands on configs that are kept in pipeline form. Agents of the classic
//! generation keep the classic form under names of their own; the collector reads such files. All of it is pure.

mod agent_form;
mod check;
mod columns;
mod complete;
mod condition;
mod deliver;
mod env_form;
mod fields;
mod nginx;
mod regex_shape;
mod translate;

pub use agent_form::{AgentConfig, from_agent_form};
pub use check::{Problem, Severity, check_input_detail};
pub use columns::extra_column;
pub use complete::complete_input_detail;
pub use condition::{Condition, Fault, Pattern, read_condition};
pub use deliver::{Delivery, deliver_pipeline};
pub use env_form::{ENV_PREFIX, EnvConfig, EnvFault, read_env_form};
pub use nginx::derive as derive_log_format;
pub use regex_shape::{RegexError, capture_groups};
pub use translate::{CONSTANT_TOPIC, Destination, TranslateError, to_pipeline};
