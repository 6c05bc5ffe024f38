//! Operations of transformers, in 8 bits or in 32, and of convolutional networks, in 32, in few and large pieces; and the
//! transform that finds them in a graph.
//!
//! `rows` and `products` are loops and matrix products for whatever instruction set the machine has; `linear`,
//! `attention`, `norm` and `patches` are the operations; `fuse` puts them in place of what a graph came with,
//! found by the rules in it and in `heads`. `conv` is the same for convolutions, all of a graph as one operation.

mod attention;
mod conv;
mod dense;
mod fuse;
mod graph;
mod heads;
mod linear;
mod norm;
mod patches;
mod products;
mod rows;
#[cfg(test)]
mod tests;
mod token;

pub(super) use attention::Attention;
pub(super) use conv::{Layer as ConvLayer, Network, Size};
pub(super) use dense::add_patches;
pub(super) use fuse::{Coder, Floats, fuse};
pub(super) use linear::{Dimension, Linear, Plain, Watch, Weights};
pub(super) use norm::LayerNorm;
pub(super) use patches::Patches;
pub(super) use products::kernels;
pub(super) use rows::Activation;
