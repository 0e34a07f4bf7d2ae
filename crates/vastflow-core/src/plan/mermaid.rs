//! Plans as Mermaid flowcharts, which Markdown pages show.

use super::Plan;
use super::picture::{Figure, Part, Picture, Shape};
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;
use core::fmt::Write as _;

impl Plan {
    /// The plan as a Mermaid flowchart: the same plan gives the same text. Paste it between ```` ```mermaid ```` and
    /// ```` ``` ```` in a README. What stands inside a node, and the nodes of a sub-flow, are subgraphs; edges that carry
    /// no value are dotted; results have a thick border, isolated nodes a dashed one.
    ///
    /// ```
    /// # use vastflow_core::plan::{EdgeSpec, NodeKind, NodeSpec, Plan, PlanSpec, Source};
    /// # use vastflow_core::Name;
    /// # let mut spec = PlanSpec::new(Name::new("hello")?);
    /// # let mut greet = NodeSpec::new(Name::new("greet")?, NodeKind::Task);
    /// # greet.inputs.push(EdgeSpec::data(Source::Input));
    /// # spec.nodes.push(greet);
    /// let plan = Plan::new(spec)?;
    /// assert!(plan.to_mermaid().contains("n1[\"greet\"]"));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    #[must_use]
    pub fn to_mermaid(&self) -> String {
        let picture = Picture::of(self);
        let mut text = String::from("flowchart TB\n");
        let mut marks = Marks::default();
        parts(&mut text, &picture.parts, 1, &mut marks);
        for arrow in &picture.arrows {
            let line_kind = if arrow.order_only { "-.->" } else { "-->" };
            let label = arrow.label.as_deref().map_or_else(String::new, |label| format!("|\"{}\"|", escaped(label)));
            line(&mut text, 1, &format!("n{} {line_kind}{label} n{}", arrow.from, arrow.to));
        }
        marks.write(&mut text);
        text
    }
}

/// Which figures are drawn in a special way.
#[derive(Default)]
struct Marks {
    results: Vec<String>,
    isolated: Vec<String>,
}

impl Marks {
    fn write(&self, text: &mut String) {
        for (class, style, ids) in
            [("result", "stroke-width:3px", &self.results), ("isolated", "stroke-dasharray:5 5", &self.isolated)]
        {
            if !ids.is_empty() {
                line(text, 1, &format!("classDef {class} {style}"));
                line(text, 1, &format!("class {} {class}", ids.join(",")));
            }
        }
    }
}

fn line(text: &mut String, depth: usize, line: &str) {
    // Writing to a text cannot fail.
    let _ = writeln!(text, "{:indent$}{line}", "", indent = depth * 2);
}

fn parts(text: &mut String, all: &[Part], depth: usize, marks: &mut Marks) {
    for part in all {
        match part {
            Part::Figure(it) => {
                marks.results.extend(it.is_result.then(|| format!("n{}", it.id)));
                marks.isolated.extend(it.isolated.then(|| format!("n{}", it.id)));
                figure(text, it, depth);
            }
            Part::Frame(frame) => {
                marks.isolated.extend(frame.isolated.then(|| format!("f{}", frame.id)));
                line(text, depth, &format!("subgraph f{}[\"{}\"]", frame.id, escaped(&frame.title)));
                parts(text, &frame.parts, depth + 1, marks);
                line(text, depth, "end");
            }
        }
    }
}

fn figure(text: &mut String, figure: &Figure, depth: usize) {
    let (open, close) = match figure.shape {
        Shape::Input | Shape::End => ("([", "])"),
        Shape::Task => ("[", "]"),
        Shape::River => ("[[", "]]"),
        Shape::Gate => ("[\\", "/]"),
        Shape::Branch => ("{", "}"),
        Shape::ForEach => ("{{", "}}"),
        Shape::Basin => ("[/", "\\]"),
        Shape::Signal => (">", "]"),
        Shape::Sleep => ("(", ")"),
        Shape::Hook => ("[/", "/]"),
    };
    let lines: Vec<String> = figure.lines.iter().map(|line| escaped(line)).collect();
    line(text, depth, &format!("n{}{open}\"{}\"{close}", figure.id, lines.join("<br/>")));
}

/// A text that Mermaid takes for nothing but a text: what could be markup, Markdown or the end of a label is written as
/// the number of its character.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            c if c.is_alphanumeric() || " ,×=_".contains(c) => escaped.push(c),
            '\n' => escaped.push(' '),
            // Between letters these are what names are made of; anywhere else they may begin a list.
            '-' | '.' | ':' if escaped.ends_with(char::is_alphabetic) => escaped.push(c),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push_str(&format!("#{};", u32::from(c))),
        }
    }
    escaped
}
