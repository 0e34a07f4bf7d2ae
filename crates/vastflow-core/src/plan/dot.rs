//! Plans as DOT, the language of Graphviz.

use super::Plan;
use super::picture::{Figure, Part, Picture, Shape};
use alloc::format;
use alloc::string::String;
use core::fmt::Write as _;

impl Plan {
    /// The plan as a DOT graph: the same plan gives the same text. What stands inside a node, and the nodes of a
    /// sub-flow, are clusters; edges that carry no value are dotted; results have a thick border, isolated nodes a dashed
    /// one. Names, keys and labels may hold anything.
    ///
    /// ```
    /// # use vastflow_core::plan::{EdgeSpec, NodeKind, NodeSpec, Plan, PlanSpec, Source};
    /// # use vastflow_core::Name;
    /// # let mut spec = PlanSpec::new(Name::new("hello")?);
    /// # let mut greet = NodeSpec::new(Name::new("greet")?, NodeKind::Task);
    /// # greet.inputs.push(EdgeSpec::data(Source::Input));
    /// # spec.nodes.push(greet);
    /// let plan = Plan::new(spec)?;
    /// assert!(plan.to_dot().contains("n0 -> n1;")); // dot -Tsvg draws it
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_dot(&self) -> String {
        let picture = Picture::of(self);
        let mut text = format!("digraph {} {{\n", quoted(self.flow()));
        text.push_str("  rankdir=TB;\n  graph [fontname=\"Helvetica\" style=\"rounded\" color=\"#888888\"];\n");
        text.push_str("  node [fontname=\"Helvetica\" shape=box style=\"rounded,filled\" fillcolor=\"#68b8e2\"];\n");
        text.push_str("  edge [fontname=\"Helvetica\"];\n");
        parts(&mut text, &picture.parts, 1);
        for arrow in &picture.arrows {
            let label = arrow.label.as_deref().map(|label| format!("label={}", quoted(label)));
            let style = arrow.order_only.then(|| "style=dotted".into());
            let options: String = [label, style].into_iter().flatten().collect::<alloc::vec::Vec<_>>().join(" ");
            let options = if options.is_empty() { options } else { format!(" [{options}]") };
            line(&mut text, 1, &format!("n{} -> n{}{options};", arrow.from, arrow.to));
        }
        text.push_str("}\n");
        text
    }
}

fn line(text: &mut String, depth: usize, line: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{:indent$}{line}", "", indent = depth * 2);
}

fn parts(text: &mut String, all: &[Part], depth: usize) {
    for part in all {
        match part {
            Part::Figure(it) => figure(text, it, depth),
            Part::Frame(frame) => {
                line(text, depth, &format!("subgraph cluster_{} {{", frame.id));
                let style = if frame.isolated { " style=\"rounded,dashed\";" } else { "" };
                line(text, depth + 1, &format!("label={};{style}", quoted(&frame.title)));
                parts(text, &frame.parts, depth + 1);
                line(text, depth, "}");
            }
        }
    }
}

fn figure(text: &mut String, figure: &Figure, depth: usize) {
    let mut options = match figure.shape {
        Shape::Task => "",
        Shape::Input => " shape=ellipse fillcolor=\"#ffffff\"",
        Shape::River => " shape=cds fillcolor=\"#7fd1ae\"",
        Shape::Gate => " shape=trapezium style=filled fillcolor=\"#dddddd\"",
        Shape::Branch => " shape=diamond style=filled fillcolor=\"#f9af4d\"",
        Shape::ForEach => " shape=hexagon style=filled fillcolor=\"#f9af4d\"",
        Shape::Basin => " shape=house style=filled fillcolor=\"#b5d99c\"",
        Shape::Signal => " shape=note style=filled fillcolor=\"#ffe08a\"",
        Shape::Sleep => " shape=octagon style=filled fillcolor=\"#d9d2e9\"",
        Shape::End => " shape=ellipse fillcolor=\"#eeeeee\"",
        Shape::Hook => " shape=invhouse style=filled fillcolor=\"#ffc0cb\"",
    }
    .replace("style=filled", if figure.isolated { "style=\"filled,dashed\"" } else { "style=filled" });
    if figure.isolated && !options.contains("style=") {
        options.push_str(" style=\"rounded,filled,dashed\"");
    }
    if figure.is_result {
        options.push_str(" penwidth=3");
    }
    let label = quoted(&figure.lines.join("\n"));
    line(text, depth, &format!("n{} [label={label}{options}];", figure.id));
}

/// A text as DOT reads it back: it knows `\` and `"`, and takes `&` for the beginning of an entity.
fn quoted(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            '&' => quoted.push_str("&amp;"),
            '\n' => quoted.push_str("\\n"),
            c if c.is_control() => quoted.push(' '),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
