use vastflow::prelude::*;

async fn charge(ctx: Ctx, order: u32) -> Result<String> {
    if ctx.attempt() == 1 { Err("the bank is busy".into()) } else { Ok(format!("receipt {order}")) }
}

async fn pack(order: u32) -> Result<String> {
    Ok(format!("parcel {order}"))
}

async fn ship((receipt, parcel): (String, String)) -> Result<String> {
    Ok(format!("{parcel} is on its way, with {receipt}"))
}

#[tokio::main]
async fn main() -> Result<()> {
    let flow = Flow::dag("order", |dag, order: Node<u32>| {
        let receipt = dag.node("charge", charge, order).retry(3.times().every(4.secs())); // 4 s to kill it in
        let parcel = dag.node("pack", pack, order);
        dag.node("ship", ship, (receipt, parcel))
    })?;
    let engine = Engine::open("sqlite:quickstart.db").await?.flow(flow).start().await?;
    let run = engine.run("order", 7_u32).id("order-7").await?; // the same id again joins the same run
    run.follow(|event| eprintln!("{event}")).await?;
    println!("{}\n{}", run.output::<String>().await?, run.view().await?);
    eprintln!("Look inside: sqlite3 quickstart.db 'select id, flow, status from runs'. Run it again: it joins.");
    Ok(())
}
