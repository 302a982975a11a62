//! Which machine groups an agent belongs to, and what to tell a person when it is none, the
//! wrong one or too many. Each message names the thing and the remedy; the agent logs it.

use std::collections::BTreeMap;

use sls_api::agent::{TAG_USER_DEFINED_ID, TAG_USER_ID};

use crate::store::agents::{Agent, Claim};
use crate::store::machine_groups::GroupId;

/// Where a person sets the account id of an agent.
const USER_ID_SETTING: &str = "ALIYUN_LOGTAIL_USER_ID";
/// Where a person sets the custom id of an agent.
const CUSTOM_ID_SETTING: &str = "ALIYUN_LOGTAIL_USER_DEFINED_ID";

/// What decides about an agent's groups.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Identity<'a> {
    /// Account ids that it names; none for any account.
    pub account_ids: Vec<&'a str>,
    /// Custom ids that it brings.
    pub custom_ids: Vec<&'a str>,
    /// Its address.
    pub ip: &'a str,
}

impl<'a> Identity<'a> {
    /// Reads an agent's tags.
    pub fn of(agent: &'a Agent) -> Self {
        let values = |name| agent.tag_values(name).filter(|value| !value.is_empty()).collect();
        Self { account_ids: values(TAG_USER_ID), custom_ids: values(TAG_USER_DEFINED_ID), ip: &agent.ip }
    }
}

/// What becomes of an agent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It gets nothing; the text says why.
    Refused(String),
    /// It gets the configs of these groups, and these notices.
    Member {
        /// The groups, each once.
        groups: Vec<GroupId>,
        /// Things that look wrong.
        notices: Vec<String>,
    },
}

/// Decides from the groups that list the agent's ids or address. `is_account` knows whether an
/// id is that of an account.
pub fn decide(identity: &Identity<'_>, claims: Vec<Claim>, is_account: impl Fn(&str) -> bool) -> Verdict {
    let ids = &identity.account_ids;
    if !ids.is_empty() && !ids.iter().any(|id| is_account(id)) {
        return Verdict::Refused(foreign(ids));
    }
    let owned = |claim: &Claim| ids.is_empty() || ids.contains(&claim.owner.as_str());
    let claims: Vec<Claim> = claims.into_iter().filter(owned).collect();
    let mut groups: Vec<GroupId> = claims.iter().map(|claim| claim.id).collect();
    groups.sort();
    groups.dedup();
    Verdict::Member { groups, notices: notices(identity, &claims) }
}

fn foreign(ids: &[&str]) -> String {
    format!(
        "user id {} is not the id of an Alibaba Cloud account that this service knows; \
         {USER_ID_SETTING} must be the id of the account that owns the project, the id of a RAM \
         user does not take effect",
        ids.join(", ")
    )
}

fn notices(identity: &Identity<'_>, claims: &[Claim]) -> Vec<String> {
    let mut groups_of: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for claim in claims.iter().filter(|claim| claim.by_custom_id) {
        let group = format!("{} of project {}", claim.group, claim.project);
        groups_of.entry(&claim.value).or_default().push(group);
    }
    let mut notices = Vec::new();
    for id in &identity.custom_ids {
        match groups_of.get(id).map(Vec::as_slice) {
            None | Some([]) => notices.push(unknown_id(id)),
            Some([_]) => {}
            Some(several) => notices.push(claimed_twice(id, several)),
        }
    }
    if identity.custom_ids.is_empty() && claims.is_empty() {
        notices.push(format!(
            "no machine group lists the address {:?} and the agent brings no custom id; set \
             {CUSTOM_ID_SETTING} to the custom id of a machine group",
            identity.ip
        ));
    }
    notices
}

fn unknown_id(id: &str) -> String {
    format!(
        "no machine group lists the custom id {id:?}; create a machine group with \
         machineIdentifyType userdefined and this id in its machineList, or correct \
         {CUSTOM_ID_SETTING}"
    )
}

fn claimed_twice(id: &str, groups: &[String]) -> String {
    format!(
        "the custom id {id:?} is listed by {} machine groups ({}), so the agent runs the configs \
         of all of them; give each group a custom id of its own if that is not meant",
        groups.len(),
        groups.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::{Expect, expect};

    const OWNER: &str = "1234567890123456";

    fn claim(value: &str, group: &str, id: i64) -> Claim {
        Claim {
            value: value.to_owned(),
            by_custom_id: !value.contains('.'),
            owner: OWNER.to_owned(),
            project: "proj-a".parse().unwrap(),
            group: group.parse().unwrap(),
            id: GroupId::testing(id),
        }
    }

    fn check(identity: Identity<'_>, claims: Vec<Claim>, expected: Expect) {
        let shown = match decide(&identity, claims, |uid| uid == OWNER) {
            Verdict::Refused(message) => format!("refused: {message}"),
            Verdict::Member { groups, notices } => {
                format!("{} groups\n{}", groups.len(), notices.join("\n"))
            }
        };
        expected.assert_eq(&shown);
    }

    #[test]
    fn an_agent_of_one_group_hears_no_complaint() {
        let identity = Identity { custom_ids: vec!["id-a"], account_ids: vec![OWNER], ip: "10.0.0.9" };
        check(identity, vec![claim("id-a", "group-a", 1)], expect!["1 groups\n"]);
    }

    #[test]
    fn an_address_is_enough() {
        let identity = Identity { ip: "10.0.0.9", ..Identity::default() };
        check(identity, vec![claim("10.0.0.9", "group-a", 1)], expect!["1 groups\n"]);
    }

    #[test]
    fn a_foreign_user_id_is_refused_with_the_remedy() {
        let identity = Identity { custom_ids: vec!["id-a"], account_ids: vec!["2999"], ip: "" };
        check(
            identity,
            vec![claim("id-a", "group-a", 1)],
            expect![
                "refused: user id 2999 is not the id of an Alibaba Cloud account that this service knows; ALIYUN_LOGTAIL_USER_ID must be the id of the account that owns the project, the id of a RAM user does not take effect"
            ],
        );
    }

    #[test]
    fn an_unknown_custom_id_is_named_with_the_remedy() {
        let identity = Identity { custom_ids: vec!["typo"], ..Identity::default() };
        check(
            identity,
            vec![],
            expect![[r#"
            0 groups
            no machine group lists the custom id "typo"; create a machine group with machineIdentifyType userdefined and this id in its machineList, or correct ALIYUN_LOGTAIL_USER_DEFINED_ID"#]],
        );
    }

    #[test]
    fn an_id_of_two_groups_names_both() {
        let identity = Identity { custom_ids: vec!["id-a"], ..Identity::default() };
        let claims = vec![claim("id-a", "group-a", 1), claim("id-a", "group-b", 2)];
        check(
            identity,
            claims,
            expect![[r#"
            2 groups
            the custom id "id-a" is listed by 2 machine groups (group-a of project proj-a, group-b of project proj-a), so the agent runs the configs of all of them; give each group a custom id of its own if that is not meant"#]],
        );
    }

    #[test]
    fn an_agent_without_identity_is_told_to_set_one() {
        let identity = Identity { ip: "10.0.0.9", ..Identity::default() };
        check(
            identity,
            vec![],
            expect![[r#"
            0 groups
            no machine group lists the address "10.0.0.9" and the agent brings no custom id; set ALIYUN_LOGTAIL_USER_DEFINED_ID to the custom id of a machine group"#]],
        );
    }
}
