//! Parts of a trial: what is measured, in which order, within which times.

use std::time::Duration;

use anyhow::{Result, ensure};

/// Budget of a trial.
pub struct Plan {
    pub name: &'static str,
    /// Shapes of models, the one that tells most first: time may run out.
    pub shapes: Vec<&'static str>,
    /// Layers of each, if not all.
    pub layers: Option<usize>,
    /// Positions in use when decode is measured.
    pub contexts: &'static [usize],
    /// Lengths of prompts.
    pub prompts: &'static [usize],
    /// Whether the peer may run on a software adapter too.
    pub software: bool,
    /// Time for everything.
    pub budget: Duration,
}

/// Returns the budget on a machine with a GPU.
pub fn full() -> Plan {
    Plan {
        name: "full",
        shapes: vec!["llama-3.2-1b", "smollm2-135m", "llama-3.1-8b", "qwen3-0.6b"],
        layers: None,
        contexts: &[0, 2048, 8192, 32_768],
        prompts: &[16, 64, 128, 512, 1024, 2048, 4096],
        software: false,
        budget: Duration::from_secs(19 * 60),
    }
}

/// Returns the budget on software adapters, to see that everything runs.
pub fn small() -> Plan {
    Plan {
        name: "small",
        shapes: vec!["smollm2-135m"],
        layers: Some(3),
        contexts: &[0, 512],
        prompts: &[16, 64],
        software: true,
        budget: Duration::from_secs(10 * 60),
    }
}

/// A program of the kit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    Bench,
    /// llama.cpp by the number of its folder.
    Peer(usize),
}

/// One process of a trial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    pub name: &'static str,
    pub shape: Option<&'static str>,
    pub program: Program,
    pub limit: Duration,
}

/// Parts of a shape by the program of the tests, with their limits in seconds. The file comes first.
const OF_A_SHAPE: [(&str, u64); 6] = [
    ("file", 120),
    ("launches", 90),
    ("decode", 90),
    ("prefill", 90),
    ("sampler", 60),
    ("drafts", 60),
];
/// Limit of the peer, which does decode and prefill in one process.
const PEER_LIMIT: Duration = Duration::from_secs(150);

impl Plan {
    /// Limits the plan to some shapes, if any are named, and to another time, if one is.
    pub fn limited(mut self, shapes: &[String], minutes: Option<u64>) -> Result<Self> {
        let known = self.shapes.join(", ");
        let is_wanted = |shape: &&str| shapes.is_empty() || shapes.iter().any(|name| name == shape);
        self.shapes.retain(is_wanted);
        ensure!(
            shapes.is_empty() || shapes.len() == self.shapes.len(),
            "--shapes: expected names of {known}"
        );
        if let Some(minutes) = minutes {
            self.budget = Duration::from_secs(60 * minutes);
        }
        Ok(self)
    }

    /// Returns the parts in their order, for a kit with so many peers.
    pub fn parts(&self, peers: usize) -> Vec<Part> {
        let hardware = Part {
            name: "hardware",
            shape: None,
            program: Program::Bench,
            limit: Duration::from_secs(90),
        };
        let of_a_shape = self.shapes.iter().flat_map(|shape| {
            let own = OF_A_SHAPE.map(|(name, seconds)| Part {
                name,
                shape: Some(*shape),
                program: Program::Bench,
                limit: Duration::from_secs(seconds),
            });
            let peers = (0..peers).map(|peer| Part {
                name: "peer",
                shape: Some(*shape),
                program: Program::Peer(peer),
                limit: PEER_LIMIT,
            });
            own.into_iter().chain(peers)
        });
        [hardware].into_iter().chain(of_a_shape).collect()
    }
}

/// Spells numbers as an argument.
pub fn list(numbers: &[usize]) -> String {
    let words: Vec<String> = numbers.iter().map(usize::to_string).collect();
    words.join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_has_its_file_before_all_else_and_every_peer() {
        let plan = full();
        let parts = plan.parts(2);
        assert_eq!(parts[0].name, "hardware");
        for shape in &plan.shapes {
            let mut own = parts.iter().filter(|part| part.shape == Some(*shape));
            assert_eq!(own.next().map(|part| part.name), Some("file"));
            let peers: Vec<Program> = own
                .filter(|part| part.name == "peer")
                .map(|part| part.program)
                .collect();
            assert_eq!(peers, [Program::Peer(0), Program::Peer(1)]);
        }
        assert_eq!(parts.len(), 1 + 4 * (6 + 2));
        assert_eq!(list(small().contexts), "0,512");
    }

    #[test]
    fn a_plan_is_limited_to_shapes_that_it_has() {
        let only = |name: &str| full().limited(&[name.to_owned()], Some(8));
        let plan = only("llama-3.1-8b").unwrap();
        assert_eq!(plan.shapes, ["llama-3.1-8b"]);
        assert_eq!(plan.budget, Duration::from_secs(480));
        assert!(only("llama").is_err());
        assert_eq!(full().limited(&[], None).unwrap().shapes.len(), 4);
    }
}
