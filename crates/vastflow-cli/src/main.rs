//! The `vastflow` command.

fn main() -> std::process::ExitCode {
    vastflow_cli::app().main()
}
