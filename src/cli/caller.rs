//! What the caller may do, as the server says it with the status: a person is not asked about what
//! would be refused. Of a server that does not say, everything is asked.

use turnout_api::admin::flags::{Caller, Status};
use turnout_api::admin::tokens::Role;
use turnout_api::problem::Code;

use super::exit::Exit;
use super::http_client::CliError;
use crate::flag::FlagKey;

/// Whether the caller's role may widen, or whom to ask instead.
pub fn may_widen(status: &Status) -> Result<(), CliError> {
    match status.caller.as_ref().map(|caller| caller.role) {
        None | Some(Role::Operator | Role::Admin) => Ok(()),
        Some(role) => Err(refused(format!(
            "the role {role} may not do this; ask a person with the role operator or admin"
        ))),
    }
}

/// Whether the caller's token reaches a flag.
pub fn reaches(status: &Status, flag: &FlagKey) -> Result<(), CliError> {
    match &status.caller {
        Some(Caller { flags: Some(flags), .. })
            if !flags.iter().any(|own| own == flag.as_str()) =>
        {
            Err(refused(format!(
                "this token does not reach {flag}; ask a person whose token does, or resume the others one by one"
            )))
        }
        _ => Ok(()),
    }
}

/// What to say where the caller may not even look at what a verb begins with: which roles the verb takes.
pub fn of_the_verb(refused: CliError, takes: &str) -> CliError {
    match refused.code {
        Some(Code::NotPermitted) => CliError {
            message: format!("the role of this token may not do this; it takes the role {takes}"),
            ..refused
        },
        _ => refused,
    }
}

fn refused(message: String) -> CliError {
    CliError { exit: Exit::Refused, ..CliError::failed(message) }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn who_may_not_widen_is_not_asked_and_of_an_older_server_everyone_is() {
        let table = [
            (json!(null), true, true),
            (json!({ "role": "admin", "flags": null }), true, true),
            (json!({ "role": "operator", "flags": ["chat"] }), true, true),
            (json!({ "role": "operator", "flags": ["search"] }), true, false),
            (json!({ "role": "stopper", "flags": null }), false, true),
            (json!({ "role": "viewer", "flags": null }), false, true),
        ];
        for (caller, widens, reached) in table {
            let status: Status = serde_json::from_value(json!({
                "revision": 1, "position": "1", "pending": 0, "problems": 0, "serverAuth": false,
                "database": { "state": "up", "why": null, "sinceMs": null },
                "streams": { "open": 0, "limit": 1 }, "flags": [], "caller": caller,
            }))
            .unwrap();
            assert_eq!(may_widen(&status).is_ok(), widens, "{caller}");
            assert_eq!(reaches(&status, &"chat".parse().unwrap()).is_ok(), reached, "{caller}");
        }
    }
}
