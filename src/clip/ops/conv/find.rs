//! Finds networks of convolutions in a graph, and puts one operation in the place of each.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use tract_onnx::prelude::*;
use tract_onnx::tract_core::internal::*;

use super::super::fuse::Coder;
use super::super::linear::Linear;
use super::super::rows::Activation;
use super::layer::{Layer, Size, Step};
use super::read::{Read, Work, read, size};
use super::{Network, Ready};

/// Puts a [`Network`] in the place of all nodes of a graph that belong to one.
pub fn convolutions(model: &mut TypedModel, coder: &mut dyn Coder) -> TractResult<()> {
    for region in regions(model)? {
        if let Some(patch) = replace(model, &region, coder)? {
            patch.apply(model)?;
        }
    }
    Ok(())
}

/// A node of a region.
struct Member {
    id: usize,
    convolves: bool,
    /// Whether it sees more than a pixel at once.
    wide: bool,
}

/// Nodes that can become one: in order, and nothing leads out of them and back into them.
type Region = Vec<Member>;

fn regions(model: &TypedModel) -> TractResult<Vec<Region>> {
    // How many regions lead to a node; its own is among them if it is in one.
    let mut depth = vec![0; model.nodes.len()];
    let mut inside = vec![false; model.nodes.len()];
    let mut regions: Vec<Region> = Vec::new();
    for id in model.eval_order()? {
        let node = model.node(id);
        let deepest = |own: bool| {
            let inputs = node.inputs.iter().filter(|input| inside[input.node] == own);
            inputs.map(|input| depth[input.node]).max().unwrap_or(0)
        };
        let (within, outside) = (deepest(true), deepest(false));
        match read(model, node) {
            Some(Read { work, .. }) => {
                depth[id] = within.max(outside + 1);
                inside[id] = true;
                regions.resize_with(regions.len().max(depth[id]), Vec::new);
                let window = if let Work::Dense { window, .. } | Work::Depthwise { window, .. } = &work {
                    Some(window)
                } else {
                    None
                };
                let (convolves, wide) = (window.is_some(), window.is_some_and(|window| !window.is_pixel()));
                regions[depth[id] - 1].push(Member { id, convolves, wide });
            }
            None => depth[id] = within.max(outside),
        }
    }
    regions.iter_mut().for_each(|region| trim(model, region));
    // Products alone are left to tract.
    regions.retain(|region| region.iter().any(|member| member.wide));
    Ok(regions)
}

/// Takes out what comes before the convolutions that a region begins with.
fn trim(model: &TypedModel, region: &mut Region) {
    let mut kept: HashSet<usize> = HashSet::new();
    region.retain(|Member { id, convolves, .. }| {
        let follows = model.node(*id).inputs.iter().any(|input| kept.contains(&input.node));
        (*convolves || follows) && kept.insert(*id)
    });
}

/// Where a value comes from: by number.
#[derive(Clone, Copy, PartialEq)]
enum Place {
    Input(usize),
    Layer(usize),
}

/// A layer before its weights are packed.
struct Draft {
    name: String,
    work: Work,
    from: Place,
    and: Option<Place>,
    size: Size,
    activation: Activation,
}

/// A network as it is put together.
struct Drawing<'a> {
    model: &'a TypedModel,
    inputs: Vec<OutletId>,
    places: HashMap<OutletId, Place>,
    layers: Vec<Draft>,
}

impl Drawing<'_> {
    fn place(&mut self, outlet: OutletId) -> Place {
        let inputs = &mut self.inputs;
        *self.places.entry(outlet).or_insert_with(|| {
            inputs.push(outlet);
            Place::Input(inputs.len() - 1)
        })
    }

    /// The layer that gives what lies there, if only one node reads that.
    fn only(&mut self, outlet: OutletId) -> TractResult<Option<usize>> {
        let readers = self.model.outlet_successors(outlet).len();
        let alone = readers == 1 && !self.model.output_outlets()?.contains(&outlet);
        Ok(match self.place(outlet) {
            Place::Layer(layer) if alone => Some(layer),
            _ => None,
        })
    }

    /// Draws what a node does, within the layer that it follows if that can do it as well.
    fn draw(&mut self, id: usize, read: Read) -> TractResult<()> {
        let before = self.only(read.from)?;
        let joined = match &read.work {
            Work::Activation(activation) => before.filter(|layer| self.layers[*layer].activate(*activation)),
            Work::Scale { scale, shift } => before.filter(|layer| self.layers[*layer].scale(scale, shift)),
            Work::Add(other) => self.add(read.from, *other)?,
            _ => None,
        };
        let layer = match joined {
            Some(layer) => layer,
            None => {
                let from = self.place(read.from);
                let and = if let Work::Add(other) = &read.work { Some(self.place(*other)) } else { None };
                let (work, activation) = match read.work {
                    // A layer of its own does nothing else.
                    Work::Activation(activation) => (Work::Activation(activation), activation),
                    work => (work, Activation::None),
                };
                let name = self.model.node(id).name.clone();
                self.layers.push(Draft { name, work, from, and, size: read.size, activation });
                self.layers.len() - 1
            }
        };
        self.places.insert(id.into(), Place::Layer(layer));
        Ok(())
    }

    /// The convolution that a sum can be left to, if there is one: it runs after what it is to add.
    fn add(&mut self, a: OutletId, b: OutletId) -> TractResult<Option<usize>> {
        for (outlet, other) in [(a, b), (b, a)] {
            let other = self.place(other);
            let Some(layer) = self.only(outlet)? else { continue };
            let draft = &mut self.layers[layer];
            let there = if let Place::Layer(other) = other { other < layer } else { true };
            let free = draft.and.is_none() && draft.activation == Activation::None;
            if there && free && matches!(draft.work, Work::Dense { .. }) {
                draft.and = Some(other);
                return Ok(Some(layer));
            }
        }
        Ok(None)
    }
}

impl Draft {
    /// Lets what comes out go through an activation too. False if it cannot.
    fn activate(&mut self, then: Activation) -> bool {
        let both = match (self.activation, then) {
            (Activation::None, then) => then,
            (Activation::Clamp(low, high), Activation::Clamp(least, most)) => {
                Activation::Clamp(low.max(least).min(most), high.max(least).min(most))
            }
            _ => return false,
        };
        self.activation = both;
        true
    }

    /// Multiplies what comes out, and adds to it, by channel. False if it cannot.
    fn scale(&mut self, scale: &[f32], shift: &[f32]) -> bool {
        let (Work::Dense { weights, bias, .. } | Work::Depthwise { weights, bias, .. }) = &mut self.work else {
            return false;
        };
        if self.and.is_some() || self.activation != Activation::None {
            return false;
        }
        for row in weights.chunks_exact_mut(scale.len()) {
            row.iter_mut().zip(scale).for_each(|(weight, scale)| *weight *= scale);
        }
        for ((bias, scale), shift) in bias.iter_mut().zip(scale).zip(shift) {
            *bias = *bias * scale + shift;
        }
        true
    }

    fn layer(self, inputs: usize, coder: &mut dyn Coder) -> Ready {
        let number = |place| match place {
            Place::Input(input) => input,
            Place::Layer(layer) => inputs + layer,
        };
        let Self { name, work, from, and, size, activation } = self;
        let step = match work {
            Work::Dense { window, weights, bias } => {
                let weights = coder.floats(&name, &weights, size.channels);
                let layer = Linear { before: None, weights, bias: Arc::new(bias), activation, shape: Vec::new() };
                Step::Dense { window, layer }
            }
            Work::Depthwise { window, weights, bias } => {
                Step::Depthwise { window, weights: Arc::new(weights), bias: Arc::new(bias) }
            }
            Work::Scale { scale, shift } => Step::Scale { scale: Arc::new(scale), shift: Arc::new(shift) },
            Work::Add(_) => Step::Add,
            Work::Enlarge(by) => Step::Enlarge(by),
            Work::Activation(_) => Step::Same,
        };
        Layer { step, from: number(from), and: and.map(number), size, activation }
    }
}

fn replace(model: &TypedModel, region: &Region, coder: &mut dyn Coder) -> TractResult<Option<TypedModelPatch>> {
    let mut drawing = Drawing { model, inputs: Vec::new(), places: HashMap::new(), layers: Vec::new() };
    let members: HashSet<usize> = region.iter().map(|member| member.id).collect();
    for Member { id, .. } in region {
        // Read again: what it reads may lie elsewhere by now.
        rule_if_some!(read = read(model, model.node(*id)));
        drawing.draw(*id, read)?;
    }
    let Drawing { inputs, places, layers, .. } = drawing;
    let facts = inputs.iter().map(|input| model.outlet_fact(*input)).collect::<TractResult<Vec<_>>>()?;
    // As many pictures in each of them.
    rule_if!(facts.windows(2).all(|pair| pair[0].shape[0] == pair[1].shape[0]));
    rule_if_some!(sizes = facts.into_iter().map(size).collect::<Option<Vec<Size>>>());
    let ends = model.output_outlets()?;
    let read_outside = |id: usize| {
        let readers = &model.node(id).outputs[0].successors;
        ends.contains(&id.into()) || readers.iter().any(|reader| !members.contains(&reader.node))
    };
    let outlets: Vec<OutletId> =
        region.iter().map(|member| member.id).filter(|id| read_outside(*id)).map(OutletId::from).collect();
    let number = |outlet| match places[outlet] {
        Place::Input(input) => input,
        Place::Layer(layer) => sizes.len() + layer,
    };
    let outputs = outlets.iter().map(number).collect();
    let layers = layers.into_iter().map(|draft| draft.layer(sizes.len(), coder)).collect();
    let mut patch = TypedModelPatch::default();
    let taps = patch.taps(model, &inputs)?;
    let name = format!("{}.network", model.node(region[0].id).name);
    let wires = patch.wire_node(name, Network::new(sizes, layers, outputs)?, &taps)?;
    for (outlet, wire) in outlets.into_iter().zip(wires) {
        patch.shunt_outside(model, outlet, wire)?;
    }
    Ok(Some(patch))
}
