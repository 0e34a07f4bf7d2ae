//! The flow that tells somebody how a run ended.

use crate::client::Client;
use crate::{Callbacks, target::Target};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes as Body;
use hmac::{Hmac, Mac};
use http_body_util::Full;
use hyper::{Request, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::Sha256;
use std::time::{Duration, SystemTime};
use vastflow_core::{Codec, Payload, RunOutcome};
use vastflow_sdk::{BoxError, ChildState, Ctx, Flow, Node, NodeError, Result, any};
use vastflow_worker::{Engine, EngineBuilder, Error, Run};

/// The flow that callbacks are runs of.
pub const FLOW: &str = "vastflow.callback";
/// The signal that says that the run has ended.
const ENDED: &str = "ended";
/// More than the client's own limit, which tells more.
const SPARE: Duration = Duration::from_secs(5);

/// What a callback is about: its run's input.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Asked {
    run: String,
    url: String,
}

impl Callbacks {
    /// The flow that tells them. Register it with the engines that should: [`Callbacks::serve`] does.
    ///
    /// # Errors
    /// Never, for as long as the drawing here is right; the type says so.
    pub fn flow(&self) -> std::result::Result<Flow<serde_json::Value, ()>, vastflow_core::PlanErrors> {
        let (callbacks, client) = (self.clone(), self.client());
        let deliver = move |ctx: Ctx, (): ()| {
            let (callbacks, client) = (callbacks.clone(), client.clone());
            async move { callbacks.deliver(&client, &ctx).await }
        };
        Flow::dag(FLOW, |dag, asked: Node<'_, serde_json::Value>| {
            let run = dag.node("about", about, asked);
            // Whoever saw the end says so; should nobody be there to see it, it is looked for.
            let told = dag.wait_signal::<(), _>(ENDED, asked);
            let seen = dag.await_run("look", run).look_every(self.look);
            dag.node("deliver", deliver, any([told, seen])).retry(self.retry.clone()).timeout(self.timeout + SPARE)
        })
    }

    /// Has an engine tell them.
    ///
    /// # Errors
    /// As [`Callbacks::flow`].
    pub fn serve(&self, engine: EngineBuilder) -> std::result::Result<EngineBuilder, vastflow_core::PlanErrors> {
        Ok(engine.flow(self.flow()?))
    }

    async fn deliver(&self, client: &Client, ctx: &Ctx) -> Result<()> {
        let asked: Asked = serde_json::from_value(ctx.run_input()?)?;
        // Who was allowed when it was asked for may not be any more.
        let target = self.target(&asked.url).map_err(NodeError::fatal)?;
        let state = ctx.find_run(&asked.run).await?;
        if !state.status.is_final() {
            return Err(format!("run {} is {}", asked.run, state.status).into());
        }
        let request = self.request(&target, &asked.run, state)?;
        match client.send(&target, request).await? {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => Err(NodeError::fatal("the receiver says that it is gone (410)").into()),
            status if status.is_redirection() => {
                Err(format!("the receiver sends elsewhere ({status}), and redirects are not followed").into())
            }
            status => Err(format!("the receiver answered {status}").into()),
        }
    }

    /// What is sent: the output as it is, or why there is none.
    fn request(&self, target: &Target, run: &str, state: ChildState) -> Result<Request<Full<Body>>> {
        let status = state.status.as_str();
        let (kind, body) = match state.outcome {
            Some(outcome @ (RunOutcome::Failed(_) | RunOutcome::Stopped { .. })) => {
                let told = json!({ "run": run, "status": status, "error": outcome.to_string() });
                ("application/json", Body::from(told.to_string()))
            }
            _ => of_output(state.output.unwrap_or_else(Payload::null)),
        };
        // The run and how it ended are part of what is signed.
        let id = format!("{run}:{status}");
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_secs().to_string();
        let signature = signature(&self.secret, &id, &now, &body)?;
        let request = Request::post(&target.path)
            .header("host", target.authority())
            .header("content-type", kind)
            .header("user-agent", concat!("vastflow/", env!("CARGO_PKG_VERSION")))
            .header("webhook-id", id)
            .header("webhook-timestamp", now)
            .header("webhook-signature", signature)
            .header("x-vastflow-status", status)
            .header("x-request-id", run)
            .header("x-faas-flow-reqid", run);
        Ok(request.body(Full::new(body))?)
    }
}

fn of_output(output: Payload) -> (&'static str, Body) {
    let kind = if output.codec() == Codec::Json { "application/json" } else { "application/octet-stream" };
    (kind, output.into_bytes())
}

/// A signature as Standard Webhooks have it: of id, time and body.
fn signature(secret: &[u8], id: &str, time: &str, body: &[u8]) -> Result<String> {
    let mut mac = <Hmac<Sha256> as Mac>::new_from_slice(secret).map_err(|why| BoxError::from(why.to_string()))?;
    mac.update(format!("{id}.{time}.").as_bytes());
    mac.update(body);
    Ok(format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes())))
}

async fn about(asked: serde_json::Value) -> Result<String> {
    Ok(serde_json::from_value::<Asked>(asked)?.run)
}

/// Records a callback, and has it told when the run ends here.
pub(crate) async fn ask(engine: &Engine, run: &Run, url: &str) -> std::result::Result<Run, Error> {
    let id = run.id().as_str();
    let asked = json!({ "run": id, "url": url });
    let start = engine.run_stored(FLOW, asked).id(&format!("{id}.callback")).label("callback.of", id);
    let trace = run.summary().await?.started.info.trace.clone();
    let callback = trace.iter().fold(start, |start, trace| start.trace(trace)).await?;
    let (ended, tell) = (engine.handle(id).await?, engine.handle(callback.id().as_str()).await?);
    tokio::spawn(async move {
        // Should it not be told, it looks itself.
        let Ok(_) = ended.wait().await else { return };
        if let Err(error) = tell.signal(ENDED, ()).id(ENDED).send().await {
            tracing::debug!(run = %tell.id(), code = error.code(), "the callback was not told: {error}");
        }
    });
    Ok(callback)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of <https://www.standardwebhooks.com>: secret, id, time and body there, and the signature.
    #[test]
    fn a_signature_is_the_one_of_standard_webhooks() {
        let secret = BASE64_STANDARD.decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let made =
            signature(&secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", br#"{"test": 2432232314}"#).unwrap();
        assert_eq!(made, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
