//! Decides which calls the proxy makes fail.

use super::control::{Action, Calls, Fault, FaultStatus};

/// The properties of a call that the proxy reads before forwarding it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Call {
    /// The region that is called.
    pub region: String,
    /// The deployed name of the function that calls, from its SDK's user agent.
    pub function: Option<String>,
    /// The service, from the signature.
    pub service: Option<String>,
    /// The operation, from the target header.
    pub operation: Option<String>,
}

impl Call {
    /// Reads a call from its headers; `header` returns the value of one.
    pub fn read<'a>(region: &str, header: impl Fn(&str) -> Option<&'a str>) -> Self {
        let target = header("x-amz-target").and_then(|target| target.split_once('.'));
        let signed = header("authorization").and_then(service_of_signature);
        let unsigned = target.and_then(|(prefix, _)| {
            prefix
                .starts_with("AWSCognitoIdentityProviderService")
                .then_some("cognito-idp")
        });
        Self {
            region: region.to_owned(),
            function: ["user-agent", "x-amz-user-agent"]
                .iter()
                .find_map(|name| header(name).and_then(app_of_agent))
                .map(str::to_owned),
            service: signed.or(unsigned).map(str::to_owned),
            operation: target.map(|(_, operation)| operation.to_owned()),
        }
    }
}

/// The service in `AWS4-HMAC-SHA256 Credential=KEY/DATE/REGION/SERVICE/aws4_request, ...`.
fn service_of_signature(authorization: &str) -> Option<&str> {
    let (_, credential) = authorization.split_once("Credential=")?;
    credential.split(',').next()?.split('/').nth(3)
}

/// The application's name: the SDK's user agent has it as `app/<name>`.
fn app_of_agent(agent: &str) -> Option<&str> {
    agent
        .split_whitespace()
        .find_map(|word| word.strip_prefix("app/"))
}

/// The faults that are set, oldest first.
#[derive(Debug, Default)]
pub struct Faults {
    set: Vec<FaultStatus>,
    next_id: u64,
}

impl Faults {
    /// Sets a fault.
    pub fn add(&mut self, fault: Fault) -> FaultStatus {
        self.next_id += 1;
        let status = FaultStatus {
            id: self.next_id,
            fault,
            seen: 0,
            met: 0,
        };
        self.set.push(status.clone());
        status
    }

    /// Lists the faults.
    pub fn list(&self) -> Vec<FaultStatus> {
        self.set.clone()
    }

    /// Removes the fault of this id, or all faults without one.
    pub fn remove(&mut self, id: Option<u64>) {
        self.set
            .retain(|status| id.is_some_and(|id| id != status.id));
    }

    /// Counts a call for every fault that matches it. Returns the action of the first that applies.
    pub fn meet(&mut self, call: &Call) -> Option<Action> {
        let mut decided = None;
        for status in &mut self.set {
            if !matches(&status.fault.calls, call) {
                continue;
            }
            status.seen += 1;
            let due = status.seen > status.fault.after;
            let left = status.fault.times.is_none_or(|times| status.met < times);
            if decided.is_none() && due && left {
                status.met += 1;
                decided = Some(status.fault.action.clone());
            }
        }
        decided
    }
}

fn matches(wanted: &Calls, call: &Call) -> bool {
    let is_match =
        |wanted: &Option<String>, is: Option<&str>| wanted.as_deref().is_none_or(|w| Some(w) == is);
    is_match(&wanted.region, Some(&call.region))
        && is_match(&wanted.function, call.function.as_deref())
        && is_match(&wanted.service, call.service.as_deref())
        && is_match(&wanted.operation, call.operation.as_deref())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(function: &str, operation: &str) -> Call {
        Call {
            region: "eu-central-1".to_owned(),
            function: Some(function.to_owned()),
            service: Some("dynamodb".to_owned()),
            operation: Some(operation.to_owned()),
        }
    }

    #[test]
    fn a_call_is_read_from_its_headers() {
        let headers = |name: &str| match name {
            "x-amz-target" => Some("DynamoDB_20120810.PutItem"),
            "user-agent" => {
                Some("aws-sdk-rust/1.3 os/linux lang/rust/1.95 app/meridian-signup-api")
            }
            "authorization" => Some(
                "AWS4-HMAC-SHA256 Credential=AK/20261101/eu-central-1/dynamodb/aws4_request, SignedHeaders=host",
            ),
            _ => None,
        };
        assert_eq!(
            Call::read("eu-central-1", headers),
            call("meridian-signup-api", "PutItem")
        );
        let cognito = |name: &str| {
            (name == "x-amz-target").then_some("AWSCognitoIdentityProviderService.SignUp")
        };
        assert_eq!(
            Call::read("r", cognito).service.as_deref(),
            Some("cognito-idp")
        );
        assert_eq!(
            Call::read("r", |_| None),
            Call {
                region: "r".to_owned(),
                ..Call::default()
            }
        );
    }

    #[test]
    fn a_fault_applies_after_its_count_of_calls() {
        let mut faults = Faults::default();
        let calls = Calls {
            function: Some("a".to_owned()),
            ..Calls::default()
        };
        faults.add(Fault {
            calls,
            after: 1,
            times: Some(2),
            action: Action::Refuse,
        });
        let met: Vec<bool> = (0..5)
            .map(|_| faults.meet(&call("a", "PutItem")).is_some())
            .collect();
        assert_eq!(met, [false, true, true, false, false]);
        assert_eq!(faults.meet(&call("b", "PutItem")), None);
        assert_eq!((faults.list()[0].seen, faults.list()[0].met), (5, 2));
        faults.remove(None);
        assert!(faults.list().is_empty());
    }

    #[test]
    fn every_given_property_has_to_match() {
        let mut faults = Faults::default();
        let calls = Calls {
            service: Some("dynamodb".to_owned()),
            operation: Some("Query".to_owned()),
            ..Calls::default()
        };
        let one = faults.add(Fault {
            calls,
            after: 0,
            times: None,
            action: Action::DelayMs(5),
        });
        assert_eq!(faults.meet(&call("a", "PutItem")), None);
        assert_eq!(faults.meet(&call("a", "Query")), Some(Action::DelayMs(5)));
        faults.remove(Some(one.id + 1));
        assert_eq!(faults.list().len(), 1);
    }
}
