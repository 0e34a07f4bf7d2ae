//! The text that Prometheus reads.

use std::fmt::Write as _;

/// A page of metrics in Prometheus' text format, to be answered with the content type [`MetricsPage::CONTENT_TYPE`].
///
/// Programs add series of their own behind the engine's:
///
/// ```
/// # use std::sync::Arc;
/// # #[tokio::main] async fn main() -> Result<(), vastflow_worker::Error> {
/// # let engine = vastflow_worker::Engine::on(Arc::new(vastflow_store::MemoryStore::new())).start().await?;
/// let mut page = engine.metrics().await;
/// page.series("shop_carts", "gauge", "Carts that are being filled.");
/// page.line("shop_carts", &[("country", "nz")], 3.0);
/// assert!(page.into_text().ends_with("shop_carts{country=\"nz\"} 3\n"));
/// # Ok(()) }
/// ```
#[derive(Clone, Debug, Default)]
pub struct MetricsPage(String);

impl MetricsPage {
    /// The content type of the text.
    pub const CONTENT_TYPE: &'static str = "text/plain; version=0.0.4; charset=utf-8";

    /// Begins a series; its lines follow. `kind` is `counter`, `gauge` or `histogram`.
    pub fn series(&mut self, name: &str, kind: &str, help: &str) {
        let help = help.replace('\\', "\\\\").replace('\n', "\\n");
        // Writing into a text does not fail.
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One line of the series that was begun last.
    pub fn line(&mut self, name: &str, labels: &[(&str, &str)], value: f64) {
        self.0.push_str(name);
        for (at, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if at == 0 { '{' } else { ',' });
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.0, "{end} {value}");
    }

    /// A series of one line.
    pub fn single(&mut self, name: &str, kind: &str, help: &str, value: f64) {
        self.series(name, kind, help);
        self.line(name, &[], value);
    }

    /// The text.
    #[must_use]
    pub fn into_text(self) -> String {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_in_a_label_stays_in_it() {
        let mut page = MetricsPage::default();
        page.series("x_total", "counter", "a\nb");
        page.line("x_total", &[("a", "q\"\\\n"), ("b", "")], 1.0);
        assert_eq!(
            page.into_text(),
            "# HELP x_total a\\nb\n# TYPE x_total counter\nx_total{a=\"q\\\"\\\\\\n\",b=\"\"} 1\n"
        );
    }
}
