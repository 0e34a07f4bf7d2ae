//! Know your customer, the example of goflow: for every user in a file, look at the image of their identity card and
//! decide what becomes of the profile. A sequence, a branching, a sub-flow, two conditions and a foreach.
//!
//! The users are in `examples/kyc/users.csv`, the images beside it: grey pixels as text (PGM), in which a face is dark.

mod image;

use image::Image;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use vastflow::Plan;
use vastflow::prelude::*;
use vastflow_examples::args::{Args, Usage};
use vastflow_examples::dashboard;
use vastflow_examples::terminal::{self, say};

/// One line of the file of users.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct User {
    name: String,
    /// The image of the card, and the one that the user took now.
    card: PathBuf,
    selfie: PathBuf,
}

/// What the checks of a user's images said.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Checked {
    user: User,
    has_face: bool,
    /// How alike the two faces are, in per cent.
    match_percent: u32,
}

async fn get_kyc_image(user: User) -> Result<(User, Image, Image)> {
    tokio::time::sleep(200.ms()).await; // here they would be downloaded
    let images = (Image::read(&user.card)?, Image::read(&user.selfie)?);
    Ok((user, images.0, images.1))
}

async fn verify_url(input: (User, Image, Image)) -> Result<(User, Image, Image)> {
    let size = (input.1.width, input.1.height);
    if size == (input.2.width, input.2.height) {
        Ok(input)
    } else {
        Err(NodeError::fatal(format!("{}: the images differ in size", input.0.name)).into())
    }
}

async fn face_detect((_, card, _): (User, Image, Image)) -> Result<bool> {
    tokio::time::sleep(300.ms()).await;
    Ok(card.dark_pixels() >= 4)
}

async fn face_match((_, card, selfie): (User, Image, Image)) -> Result<u32> {
    tokio::time::sleep(400.ms()).await;
    Ok(card.likeness(&selfie))
}

type Verified = ((User, Image, Image), bool, u32);

async fn generate_result(((user, ..), has_face, match_percent): Verified) -> Result<Checked> {
    Ok(Checked { user, has_face, match_percent })
}

async fn no_face(checked: Checked) -> Result<String> {
    Ok(format!("{}: asked for another image, there is no face on the card", checked.user.name))
}

async fn mark_profile(checked: Checked) -> Result<String> {
    Ok(format!("{}: verified, {} % alike", checked.user.name, checked.match_percent))
}

async fn second_look(checked: Checked) -> Result<String> {
    tokio::time::sleep(300.ms()).await;
    Ok(format!("{}: only {} % alike, a person has to look", checked.user.name, checked.match_percent))
}

/// A branching: two checks side by side, and a node that takes what both gave.
fn verify_image() -> Result<Flow<(User, Image, Image), Checked>> {
    let flow = Flow::dag("verify-image", |dag, images| {
        let verified = dag.node("verify-url", verify_url, images);
        let face = dag.node("face-detect", face_detect, verified);
        let score = dag.node("face-match", face_match, verified);
        dag.node("generate-result", generate_result, (verified, face, score))
    });
    Ok(flow?)
}

fn kyc() -> Result<Flow<BTreeMap<String, User>, BTreeMap<String, String>>> {
    let verify_image = verify_image()?;
    let flow = Flow::dag("kyc", |dag, users: Node<BTreeMap<String, User>>| {
        let profiles = dag.for_each("users", users, |dag, user| {
            // A sequence, and in it a sub-flow.
            let images = dag.node("get-kyc-image", get_kyc_image, user).retry(2.times().every(200.ms()));
            let checked = dag.subflow("verify-image", &verify_image, images);
            // A condition that always takes one arm, and in that one that takes one or the other.
            let said = dag
                .branch("face", checked, |it: &Checked| if it.has_face { "pass" } else { "fail" })
                .case("pass", |dag, checked| {
                    dag.branch("alike", checked, |it: &Checked| if it.match_percent >= 80 { "yes" } else { "no" })
                        .case("yes", |dag, checked| dag.node("mark-profile", mark_profile, checked))
                        .case("no", |dag, checked| dag.node("second-look", second_look, checked))
                        .join()
                })
                .case("fail", |dag, checked| dag.node("no-face", no_face, checked))
                .join();
            dag.node("tell", tell, said)
        });
        profiles.window(2).tolerate(1) // two users at a time; one may have no image at all
    });
    Ok(flow?)
}

async fn tell(what: String) -> Result<String> {
    say(&what);
    Ok(what)
}

/// `id,name,card,selfie` a line, below a heading; images are beside the file.
fn read_users(file: &Path) -> Result<BTreeMap<String, User>> {
    let text = std::fs::read_to_string(file).map_err(|why| format!("cannot read {}: {why}", file.display()))?;
    let beside = file.parent().unwrap_or(Path::new("."));
    let user = |line: &str| match line.split(',').map(str::trim).collect::<Vec<_>>()[..] {
        [id, name, card, selfie] => {
            let user = User { name: name.into(), card: beside.join(card), selfie: beside.join(selfie) };
            Ok((id.to_owned(), user))
        }
        _ => Err(format!("{line:?} is not id,name,card,selfie").into()),
    };
    text.lines().skip(1).filter(|line| !line.is_empty()).map(user).collect()
}

fn graph(plan: &Plan, form: &str) -> Result<String> {
    match form {
        "dot" => Ok(plan.to_dot()),
        "mermaid" => Ok(plan.to_mermaid()),
        other => Err(format!("there is no graph {other}; there are dot and mermaid").into()),
    }
}

async fn verify(args: Args) -> Result<()> {
    let url = args.option("--store").unwrap_or("sqlite:kyc.db");
    let id = args.option("--id").unwrap_or("kyc-1");
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/kyc/users.csv");
    let users = read_users(Path::new(args.option("--users").unwrap_or(shipped)))?;
    let flow = kyc()?;
    if let Some(form) = args.option("--graph") {
        say(graph(flow.plan(), form)?);
        return Ok(());
    }
    let store = vastflow::open(url).await?;
    let before = terminal::greet(&*store, id).await?;
    let engine = Engine::on(store).flow(flow).start().await?;
    let beside = dashboard::beside(&engine, &args).await?;
    let run = engine.run("kyc", users).id(id).await?; // the same id again joins the same run
    if before.is_none_or(|status| !status.is_final()) {
        terminal::show(&run).await?;
    }
    terminal::conclude(&run).await?;
    for (user, verdict) in run.output::<BTreeMap<String, String>>().await? {
        terminal::note(format!("{user}  {verdict}"));
    }
    beside.end(engine).await?;
    terminal::farewell(url, &args.again("kyc", &[]));
    Ok(())
}

const USAGE: Usage = Usage {
    options: &["--store", "--id", "--users", "--graph", "--dashboard"],
    subject: None,
    detail: None,
    help: "\
Verifies the users of a file by the images of their identity cards, two at a time.

Usage: cargo run --example kyc -- [OPTIONS]

Options:
  --users FILE    The users [default: examples/kyc/users.csv]
  --graph FORM    Print the flow as dot or mermaid, and run nothing
  --store URL     Where runs are kept [default: sqlite:kyc.db]
  --dashboard AT  Show the dashboard at this address, say 127.0.0.1:8080, until Ctrl-C
  --id ID         The run's id; the same id again is the same run [default: kyc-1]
  -h, --help      Show this text
",
};

#[tokio::main]
async fn main() -> ExitCode {
    terminal::main(USAGE, verify).await
}
