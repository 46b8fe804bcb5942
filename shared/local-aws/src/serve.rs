//! The serve process beside the emulators: proxies, HTTP APIs, links and the control API.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::Path as FilePath;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use anyhow::{Context, Result};
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::control::{Action, Fault, FaultStatus, Link, LinkChange, LinkStatus, Reach};
use super::faults::{Call, Faults};
use super::layout::{Layout, read_json};
use super::links::Forwarder;
use super::names::{self, Names};
use super::narrowed::Sessions;
use super::process::{Detached, kill_function};
use super::sdk;
use super::triggers::Triggers;
use super::upstream::{Answer, Request, forward};

/// How many requests to one API are forwarded at a time.
const SLOTS: usize = 16;
/// The largest body that API Gateway takes.
const API_BODY_BYTES: usize = 10 * 1024 * 1024;
/// The largest body that the proxy accepts: packages of functions pass through it.
const AWS_BODY_BYTES: usize = 512 * 1024 * 1024;

/// How long links may take to deliver the events that they hold when the process ends.
const LINKS_END_MS: u64 = 3_000;

/// The plan of the serve process.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Plan {
    /// The port of the control API.
    pub control_port: u16,
    /// The port of the gateway for tenants' host names.
    pub gateway_port: u16,
    /// The home region, where tenants' names are stored.
    pub home: String,
    /// The id of its hosted zone for them.
    pub zone: String,
    /// The regions by code.
    pub regions: BTreeMap<String, RegionPlan>,
    /// The links between them.
    pub links: Vec<Link>,
}

/// What to serve for one region.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RegionPlan {
    /// The address of the emulator.
    pub emulator_url: String,
    /// The port of the proxy in front of it.
    pub proxy_port: u16,
    /// The HTTP APIs.
    pub apis: Vec<ApiPlan>,
}

/// An HTTP API at a port of its own, so that its paths are as on AWS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiPlan {
    /// The port.
    pub port: u16,
    /// The id of the deployed API; `None` until it is deployed.
    pub api_id: Option<String>,
}

impl Plan {
    /// The plan of a checkout.
    ///
    /// # Errors
    /// When there is none, or it is damaged.
    pub fn load(layout: &Layout) -> Result<Self> {
        read_json(&layout.serve_plan())?
            .context("nothing to serve: start it with `meridian local up`")
    }
}

/// A served region.
struct Region {
    code: String,
    emulator: String,
    process: Detached,
    triggers: Triggers,
    sessions: Sessions,
    cut: AtomicBool,
    /// One semaphore per API. On one machine, hundreds of concurrent functions would only slow each
    /// other down.
    slots: Mutex<BTreeMap<String, Arc<Semaphore>>>,
}

impl Region {
    fn slots_of(&self, api: &str) -> Arc<Semaphore> {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(
            slots
                .entry(api.to_owned())
                .or_insert_with(|| Arc::new(Semaphore::new(SLOTS))),
        )
    }
}

struct Serve {
    layout: Layout,
    plan: RwLock<Plan>,
    regions: BTreeMap<String, Arc<Region>>,
    names: Names,
    faults: Mutex<Faults>,
    links: Mutex<Vec<(Arc<Forwarder>, JoinHandle<()>)>>,
}

/// Serves a checkout's local stack until the process gets SIGTERM.
///
/// # Errors
/// When there is no plan, or a port is taken.
pub async fn run(checkout: &FilePath) -> Result<()> {
    let layout = Layout::new(checkout)?;
    let plan = Plan::load(&layout)?;
    let regions = plan.regions.iter().map(|(code, region)| {
        let config = sdk::config(code, &region.emulator_url);
        let served = Region {
            sessions: Sessions::new(code, &region.emulator_url, &config, layout.sessions(code))?,
            code: code.clone(),
            emulator: region.emulator_url.clone(),
            process: Detached::new(
                layout.emulator_pid(code),
                layout.venv().display().to_string(),
            ),
            triggers: Triggers::new(code, &region.emulator_url, &config),
            cut: AtomicBool::new(false),
            slots: Mutex::default(),
        };
        anyhow::Ok((code.clone(), Arc::new(served)))
    });
    let home = plan
        .regions
        .get(&plan.home)
        .context("the home region is not served")?;
    let serve = Arc::new(Serve {
        regions: regions.collect::<Result<_>>()?,
        names: Names::new(
            &sdk::config(&plan.home, &home.emulator_url),
            plan.zone.clone(),
        ),
        faults: Mutex::default(),
        links: Mutex::default(),
        plan: RwLock::new(plan.clone()),
        layout,
    });
    serve.link(&plan.links);
    let replicator = Arc::clone(&serve);
    tokio::spawn(async move { replicator.names.replicate().await });
    listen(
        plan.gateway_port,
        Router::new()
            .fallback(gateway)
            .with_state(Arc::clone(&serve)),
    )
    .await?;
    for (code, region) in &plan.regions {
        let Some(served) = serve.regions.get(code) else {
            continue;
        };
        let state = (Arc::clone(&serve), Arc::clone(served));
        listen(
            region.proxy_port,
            Router::new().fallback(aws).with_state(state),
        )
        .await?;
        for api in &region.apis {
            let state = (Arc::clone(&serve), Arc::clone(served), api.port);
            listen(api.port, Router::new().fallback(http_api).with_state(state)).await?;
        }
    }
    listen(plan.control_port, control(Arc::clone(&serve))).await?;
    let mut end = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())?;
    end.recv().await;
    serve.end_links().await;
    Ok(())
}

async fn listen(port: u16, router: Router) -> Result<()> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .with_context(|| format!("port {port} is in use by another program"))?;
    tokio::spawn(async move {
        use axum::serve::ListenerExt as _;
        let listener = listener.tap_io(|stream| {
            stream.set_nodelay(true).ok();
        });
        axum::serve(listener, router).await.ok();
    });
    Ok(())
}

impl Serve {
    /// Starts the forwarders of new links and ends those of removed links.
    fn link(self: &Arc<Self>, wanted: &[Link]) {
        let mut running = self.links.lock().unwrap_or_else(PoisonError::into_inner);
        running.retain(|(forwarder, task)| {
            let keep = wanted.contains(forwarder.link());
            if !keep {
                task.abort();
            }
            keep
        });
        for link in wanted {
            let known = running
                .iter()
                .any(|(forwarder, _)| forwarder.link() == link);
            let sides = (self.regions.get(&link.from), self.regions.get(&link.to));
            let (false, (Some(from), Some(to))) = (known, sides) else {
                continue;
            };
            let config = |region: &Region| sdk::config(&region.code, &region.emulator);
            let forwarder = Forwarder::new(link.clone(), &config(from), &config(to));
            let (from, to) = (Arc::clone(from), Arc::clone(to));
            let cut = move || from.cut.load(Ordering::Relaxed) || to.cut.load(Ordering::Relaxed);
            let task = tokio::spawn(Arc::clone(&forwarder).run(cut));
            running.push((forwarder, task));
        }
    }

    /// Ends every link after its events in flight are delivered.
    async fn end_links(&self) {
        let running =
            std::mem::take(&mut *self.links.lock().unwrap_or_else(PoisonError::into_inner));
        for (forwarder, _) in &running {
            forwarder.end();
        }
        let tasks = running.into_iter().map(|(_, task)| task);
        let all = futures::future::join_all(tasks);
        tokio::time::timeout(Duration::from_millis(LINKS_END_MS), all)
            .await
            .ok();
    }

    fn api_id(&self, region: &str, port: u16) -> Option<String> {
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner);
        let apis = &plan.regions.get(region)?.apis;
        apis.iter().find(|api| api.port == port)?.api_id.clone()
    }

    /// The region and the API of an API's own host name, such as
    /// `a1b2.execute-api.eu-central-1.amazonaws.com`.
    fn api_at(&self, host: &str) -> Option<(Arc<Region>, String)> {
        let (id, rest) = host.split_once(".execute-api.")?;
        let code = rest.split('.').next()?;
        let plan = self.plan.read().unwrap_or_else(PoisonError::into_inner);
        let known = plan
            .regions
            .get(code)?
            .apis
            .iter()
            .any(|api| api.api_id.as_deref() == Some(id));
        let region = self.regions.get(code).filter(|_| known)?;
        Some((Arc::clone(region), id.to_owned()))
    }

    fn meet(&self, call: &Call) -> Option<Action> {
        self.faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .meet(call)
    }
}

type AwsState = (Arc<Serve>, Arc<Region>);
type ApiState = (Arc<Serve>, Arc<Region>, u16);

fn unavailable(why: &str) -> Response {
    (StatusCode::SERVICE_UNAVAILABLE, why.to_owned()).into_response()
}

/// A refusal in the form of AWS's JSON protocols.
fn refused_as(exception: &str) -> Response {
    let body = serde_json::json!({ "__type": exception, "message": "a fault is set" });
    (
        StatusCode::BAD_REQUEST,
        [(header::CONTENT_TYPE, "application/x-amz-json-1.1")],
        body.to_string(),
    )
        .into_response()
}

fn kill(region: &Region, call: &Call) {
    if let (Some(group), Some(function)) = (region.process.pid(), &call.function) {
        kill_function(group, function);
    }
}

/// A call to a region's AWS endpoint. Any origin may make it, as browsers call Cognito directly.
async fn aws(State(state): State<AwsState>, request: axum::extract::Request) -> Response {
    let from_page = request.headers().contains_key(header::ORIGIN);
    let mut response = called(state, request).await;
    if from_page {
        let any = HeaderValue::from_static("*");
        response
            .headers_mut()
            .entry(header::ACCESS_CONTROL_ALLOW_ORIGIN)
            .or_insert(any.clone());
        response
            .headers_mut()
            .entry(header::ACCESS_CONTROL_EXPOSE_HEADERS)
            .or_insert(any);
    }
    response
}

async fn called((serve, region): AwsState, request: axum::extract::Request) -> Response {
    if region.cut.load(Ordering::Relaxed) {
        return unavailable("the region is cut off");
    }
    let request = match Request::read(request, AWS_BODY_BYTES).await {
        Ok(request) => request,
        Err(error) => return (StatusCode::PAYLOAD_TOO_LARGE, error.to_string()).into_response(),
    };
    let call = Call::read(&region.code, |name| request.header(name));
    let action = serve.meet(&call);
    match action.clone() {
        Some(Action::Refuse) => return unavailable("a fault is set"),
        Some(Action::RefuseAs(exception)) => return refused_as(&exception),
        Some(Action::Kill) => {
            kill(&region, &call);
            return unavailable("a fault is set");
        }
        Some(Action::DelayMs(delay)) => tokio::time::sleep(Duration::from_millis(delay)).await,
        Some(Action::LoseAnswer | Action::KillAfter) | None => {}
    }
    let answer = respond(&serve, &region, &call, &request).await;
    match action {
        Some(Action::LoseAnswer) => return unavailable("a fault is set"),
        Some(Action::KillAfter) => {
            kill(&region, &call);
            return unavailable("a fault is set");
        }
        _ => {}
    }
    answer.map_or_else(
        |error| unavailable(&format!("{error:#}")),
        IntoResponse::into_response,
    )
}

/// The response of the region's emulator, completed by what the emulator lacks.
async fn respond(serve: &Serve, region: &Region, call: &Call, request: &Request) -> Result<Answer> {
    let pass = || forward(&region.emulator, &request.path, request);
    match (call.service.as_deref(), call.operation.as_deref()) {
        (Some("cognito-idp"), Some(operation)) => region.triggers.call(operation, request).await,
        (Some("dynamodb"), Some(operation)) => {
            match region
                .sessions
                .refuse(operation, call.function.as_deref(), request)
                .await?
            {
                Some(refusal) => Ok(refusal),
                None => pass().await,
            }
        }
        (Some("sts"), _) => {
            let answer = pass().await?;
            region.sessions.record(request, &answer);
            Ok(answer)
        }
        (Some("route53"), _) if names::is_change(request) => {
            let answer = pass().await?;
            Ok(if answer.status.is_success() {
                serve.names.change(request, answer)
            } else {
                answer
            })
        }
        _ => pass().await,
    }
}

/// A message of the gateway's own.
fn message(status: StatusCode, text: &str) -> Response {
    (status, Json(serde_json::json!({ "message": text }))).into_response()
}

/// A call to a region's HTTP API.
async fn http_api(
    State((serve, region, port)): State<ApiState>,
    request: axum::extract::Request,
) -> Response {
    let Some(api) = serve.api_id(&region.code, port) else {
        return message(StatusCode::NOT_FOUND, "Not Found");
    };
    call_api(&region, &api, request).await
}

/// A request for a host name, forwarded to the HTTP API that the name's record points to with the
/// requested name.
async fn gateway(State(serve): State<Arc<Serve>>, request: axum::extract::Request) -> Response {
    let host = request
        .headers()
        .get(header::HOST)
        .and_then(|host| host.to_str().ok());
    let found = host.and_then(|host| serve.names.resolve(host));
    match found.map(|host| serve.api_at(&host)) {
        Some(Some((region, api))) => call_api(&region, &api, request).await,
        Some(None) => (
            StatusCode::BAD_GATEWAY,
            "the record of this name points to no API of this stack\n",
        )
            .into_response(),
        // A client would get no address from DNS and could not connect.
        None => (StatusCode::BAD_GATEWAY, "there is no record of this name\n").into_response(),
    }
}

/// A call to an HTTP API, at its `$default` stage.
async fn call_api(region: &Region, api: &str, request: axum::extract::Request) -> Response {
    let _slot = region.slots_of(api).acquire_owned().await;
    if region.cut.load(Ordering::Relaxed) {
        return message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable");
    }
    let Ok(request) = Request::read(request, API_BODY_BYTES).await else {
        return message(StatusCode::PAYLOAD_TOO_LARGE, "Request Entity Too Large");
    };
    let path = format!("/_aws/execute-api/{api}/$default{}", request.path);
    match forward(&region.emulator, &path, &request).await {
        Ok(answer) => answer.into_response(),
        Err(_) => message(StatusCode::SERVICE_UNAVAILABLE, "Service Unavailable"),
    }
}

fn control(serve: Arc<Serve>) -> Router {
    Router::new()
        .route("/health", get(|| async { "ok" }))
        .route("/links", get(links).put(change_links))
        .route("/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/faults/{id}", delete(remove_fault))
        .route("/regions", get(reaches))
        .route("/regions", put(reach))
        .route("/reload", post(reload))
        .with_state(serve)
}

async fn links(State(serve): State<Arc<Serve>>) -> Json<Vec<LinkStatus>> {
    let links = serve.links.lock().unwrap_or_else(PoisonError::into_inner);
    Json(
        links
            .iter()
            .map(|(forwarder, _)| forwarder.status())
            .collect(),
    )
}

async fn change_links(
    State(serve): State<Arc<Serve>>,
    Json(change): Json<LinkChange>,
) -> Json<Vec<LinkStatus>> {
    let links = serve.links.lock().unwrap_or_else(PoisonError::into_inner);
    let met =
        |wanted: &Option<String>, is: &str| wanted.as_deref().is_none_or(|wanted| wanted == is);
    let chosen = links.iter().filter(|(forwarder, _)| {
        let link = forwarder.link();
        met(&change.from, &link.from) && met(&change.to, &link.to)
    });
    let changed = chosen.map(|(forwarder, _)| {
        forwarder.set(change.knobs);
        forwarder.status()
    });
    Json(changed.collect())
}

async fn faults(State(serve): State<Arc<Serve>>) -> Json<Vec<FaultStatus>> {
    Json(
        serve
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .list(),
    )
}

async fn add_fault(State(serve): State<Arc<Serve>>, Json(fault): Json<Fault>) -> Json<FaultStatus> {
    Json(
        serve
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .add(fault),
    )
}

async fn clear_faults(State(serve): State<Arc<Serve>>) -> Json<()> {
    serve
        .faults
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(None);
    Json(())
}

async fn remove_fault(State(serve): State<Arc<Serve>>, Path(id): Path<u64>) -> Json<()> {
    serve
        .faults
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .remove(Some(id));
    Json(())
}

async fn reaches(State(serve): State<Arc<Serve>>) -> Json<Vec<Reach>> {
    let reach = |region: &Arc<Region>| Reach {
        region: region.code.clone(),
        cut: region.cut.load(Ordering::Relaxed),
    };
    Json(serve.regions.values().map(reach).collect())
}

async fn reach(State(serve): State<Arc<Serve>>, Json(reach): Json<Reach>) -> Response {
    match serve.regions.get(&reach.region) {
        Some(region) => {
            region.cut.store(reach.cut, Ordering::Relaxed);
            Json(()).into_response()
        }
        None => (StatusCode::NOT_FOUND, format!("no region {}", reach.region)).into_response(),
    }
}

async fn reload(State(serve): State<Arc<Serve>>) -> Response {
    match Plan::load(&serve.layout) {
        Ok(plan) => {
            serve.link(&plan.links);
            for region in serve.regions.values() {
                region.sessions.clear_cache().await;
            }
            *serve.plan.write().unwrap_or_else(PoisonError::into_inner) = plan;
            Json(()).into_response()
        }
        Err(error) => (StatusCode::INTERNAL_SERVER_ERROR, format!("{error:#}")).into_response(),
    }
}
