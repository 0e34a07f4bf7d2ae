//! An Atlantic passed as a stream.
use serde::{Deserialize, Serialize};
use vastflow_sdk::{Andes, Atlantic, Headwaters, Result};

#[derive(Serialize, Deserialize)]
struct Sea;

impl Atlantic for Sea {
    const NAME: &'static str = "sea";

    async fn success(&self, _: &Headwaters) -> Result<()> {
        Ok(())
    }

    async fn fail(&self, _: &Headwaters) -> Result<()> {
        Ok(())
    }
}

fn main() {
    let _ = Andes::new("f").stream(Sea);
}
