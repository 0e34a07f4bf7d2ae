//! A river whose fields cannot be stored in the plan.
use vastflow_sdk::{Headwaters, River, RiverError};

struct CreateVm;

impl River for CreateVm {
    const NAME: &'static str = "create-vm";

    async fn flow(&self, _: &Headwaters) -> Result<(), RiverError> {
        Ok(())
    }
}

fn main() {}
