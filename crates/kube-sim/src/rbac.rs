//! Who may do what, for tests that want to know whether a role suffices.
//!
//! A bearer token that was given roles may do what these say and nothing else; every other request may do everything,
//! with or without a token. Discovery, health and the like are open to all, as on the real server. Bindings and roles
//! that are stored as objects mean nothing here. Source of rules and of the message: Kubernetes documentation,
//! "Using RBAC Authorization".

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use http::{HeaderMap, Method, header};
use serde_json::Value;

use crate::error::ApiError;
use crate::request::{Query, ResourcePath};

/// Stands for all groups, resources and verbs in a rule.
const ALL: &str = "*";

/// What tokens may do.
#[derive(Default)]
pub struct Rights {
    tokens: RwLock<HashMap<String, Vec<Granted>>>,
}

/// The rules of a role, in a namespace or everywhere.
struct Granted {
    namespace: Option<String>,
    rules: Vec<Rule>,
}

struct Rule {
    groups: Vec<String>,
    resources: Vec<String>,
    names: Vec<String>,
    verbs: Vec<String>,
}

impl Rights {
    /// Gives `token` the rules of `role`, a Role or ClusterRole, in `namespace` or everywhere.
    pub fn grant(&self, token: &str, role: &Value, namespace: Option<&str>) {
        let rules = role.get("rules").and_then(Value::as_array).into_iter().flatten().map(Rule::read);
        let granted = Granted { namespace: namespace.map(str::to_owned), rules: rules.collect() };
        let mut tokens = self.tokens.write().unwrap_or_else(PoisonError::into_inner);
        tokens.entry(token.to_owned()).or_default().push(granted);
    }

    /// Takes all rights from `token`; it is known still, and may do nothing.
    pub fn revoke(&self, token: &str) {
        self.tokens.write().unwrap_or_else(PoisonError::into_inner).insert(token.to_owned(), Vec::new());
    }

    /// Whether a request for a resource is allowed.
    pub fn check(
        &self,
        headers: &HeaderMap,
        method: &Method,
        path: &ResourcePath,
        query: &Query,
    ) -> Result<(), ApiError> {
        let authorization = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(token) = authorization.and_then(|text| text.strip_prefix("Bearer ")) else { return Ok(()) };
        let tokens = self.tokens.read().unwrap_or_else(PoisonError::into_inner);
        let Some(granted) = tokens.get(token) else { return Ok(()) };
        let verb = verb(method, path, query);
        let allowed = granted.iter().any(|granted| {
            let here = granted.namespace.as_deref().is_none_or(|namespace| namespace == path.namespace);
            here && granted.rules.iter().any(|rule| rule.allows(verb, path))
        });
        if allowed {
            return Ok(());
        }
        let message = refusal(token, verb, path);
        Err(ApiError::Coded { code: 403, message, retry_after_seconds: None })
    }
}

impl Rule {
    fn read(rule: &Value) -> Self {
        let texts = |member: &str| {
            let all = rule.get(member).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(Value::as_str).map(str::to_owned).collect()
        };
        Self {
            groups: texts("apiGroups"),
            resources: texts("resources"),
            names: texts("resourceNames"),
            verbs: texts("verbs"),
        }
    }

    fn allows(&self, verb: &str, path: &ResourcePath) -> bool {
        let has = |list: &[String], text: &str| list.iter().any(|one| one == ALL || one == text);
        has(&self.groups, &path.group)
            && has(&self.resources, &resource(path))
            && has(&self.verbs, verb)
            && (self.names.is_empty() || self.names.contains(&path.name))
    }
}

/// `pods`, `pods/log`.
fn resource(path: &ResourcePath) -> String {
    match path.subresource.as_str() {
        "" => path.plural.clone(),
        subresource => format!("{}/{subresource}", path.plural),
    }
}

fn verb(method: &Method, path: &ResourcePath, query: &Query) -> &'static str {
    match (method.as_str(), path.name.is_empty()) {
        ("GET", _) if path.watch || query.flag("watch") => "watch",
        ("GET" | "HEAD", false) => "get",
        ("GET" | "HEAD", true) => "list",
        ("POST", _) => "create",
        ("PUT", _) => "update",
        ("PATCH", _) => "patch",
        ("DELETE", false) => "delete",
        ("DELETE", true) => "deletecollection",
        _ => "",
    }
}

fn refusal(user: &str, verb: &str, path: &ResourcePath) -> String {
    let ResourcePath { group, namespace, name, .. } = path;
    let qualified = if group.is_empty() { path.plural.clone() } else { format!("{}.{group}", path.plural) };
    let object = if name.is_empty() { qualified } else { format!("{qualified} \"{name}\"") };
    let place = match namespace.as_str() {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace \"{namespace}\""),
    };
    let resource = resource(path);
    format!(
        "{object} is forbidden: User \"{user}\" cannot {verb} resource \"{resource}\" in API group \"{group}\" {place}"
    )
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::request::parse_path;

    fn check(rights: &Rights, request: &str) -> Result<(), String> {
        let (method, path) = request.split_once(' ').unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, "Bearer operator".parse().unwrap());
        let method = method.parse().unwrap();
        let result = rights.check(&headers, &method, &parse_path(path).unwrap(), &Query::parse(query));
        result.map_err(|error| error.to_string())
    }

    #[test]
    fn a_token_may_do_what_its_roles_say_and_nothing_else() {
        let rights = Rights::default();
        let pods = "/api/v1/namespaces/a/pods";
        assert_eq!(check(&rights, &format!("GET {pods}")), Ok(()));
        rights.grant(
            "operator",
            &json!({"rules": [{"apiGroups": [""], "resources": ["pods"], "verbs": ["list", "watch"]}]}),
            None,
        );
        rights.grant(
            "operator",
            &json!({"rules": [{"apiGroups": [""], "resources": ["pods/status"], "resourceNames": ["one"],
                "verbs": ["*"]}]}),
            Some("a"),
        );
        for allowed in
            ["GET /api/v1/pods", "GET /api/v1/pods?watch=true", "PATCH /api/v1/namespaces/a/pods/one/status"]
        {
            assert_eq!(check(&rights, allowed), Ok(()), "{allowed}");
        }
        for refused in [
            "GET /api/v1/namespaces/a/pods/one",
            "PATCH /api/v1/namespaces/a/pods/one",
            "PATCH /api/v1/namespaces/a/pods/two/status",
            "PATCH /api/v1/namespaces/b/pods/one/status",
            "GET /apis/apps/v1/deployments",
            "DELETE /api/v1/namespaces/a/pods",
        ] {
            assert!(check(&rights, refused).is_err(), "{refused}");
        }
        rights.revoke("operator");
        assert_eq!(
            check(&rights, "GET /api/v1/namespaces/a/pods"),
            Err("pods is forbidden: User \"operator\" cannot list resource \"pods\" in API group \"\" in the namespace \
                 \"a\""
                .into())
        );
    }

    #[test]
    fn others_may_do_everything() {
        let rights = Rights::default();
        rights.revoke("somebody-else");
        assert_eq!(check(&rights, "DELETE /api/v1/namespaces/a/pods"), Ok(()));
    }
}
