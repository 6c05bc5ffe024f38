//! The skeleton: an ONNX file without its large tensors, which stay where they lie until a tower is cut out of it. A file
//! of hundreds of megabytes has one of some hundred kilobytes.

use std::fs::File;
use std::io::{BufReader, Error, ErrorKind, Read, Result};
use std::path::Path;

use prost::Message;
use prost::encoding::encode_varint;
use tract_onnx::pb::StringStringEntryProto;

/// Smaller tensors are left in: shapes, axes and scales, which say what the graph is.
const LARGE: u64 = 1024;

/// The bytes of a skeleton: those of a `ModelProto` whose large tensors are said to lie in the file `name`, from where they
/// are in it. Tensors of bytes are left in: they are an export's that somebody else has quantised, and are to be
/// changed.
///
/// # Errors
/// What the system says, or that the file ends too early or is no protobuf.
pub(super) fn read(path: &Path, name: &str) -> Result<Vec<u8>> {
    let file = File::open(path)?;
    let length = file.metadata()?.len();
    let mut source = Source { reader: BufReader::with_capacity(1 << 16, file), at: 0, name };
    let mut skeleton = Vec::new();
    source.message(Kind::Model, length, &mut skeleton)?;
    Ok(skeleton)
}

/// Messages that large tensors lie in.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Model,
    Graph,
    Node,
    Attribute,
    Tensor,
}

impl Kind {
    /// By the numbers of the fields in ONNX's definition.
    fn within(self, field: u64) -> Option<Self> {
        match (self, field) {
            (Self::Model, 7) => Some(Self::Graph),
            (Self::Graph, 1) => Some(Self::Node),
            (Self::Node, 5) => Some(Self::Attribute),
            (Self::Graph | Self::Attribute, 5) => Some(Self::Tensor),
            _ => None,
        }
    }
}

/// Fields of a tensor.
const DATA_TYPE: u64 = 2;
const RAW_DATA: u64 = 9;
const EXTERNAL_DATA: u64 = 13;
const DATA_LOCATION: u64 = 14;
/// Data types of bytes.
const UINT8: u64 = 2;
const INT8: u64 = 3;
/// How a field is written.
const VARINT: u64 = 0;
const EIGHT_BYTES: u64 = 1;
const DELIMITED: u64 = 2;
const FOUR_BYTES: u64 = 5;

struct Source<'a> {
    reader: BufReader<File>,
    at: u64,
    name: &'a str,
}

impl Source<'_> {
    /// The message that goes on until `end`.
    fn message(&mut self, kind: Kind, end: u64, out: &mut Vec<u8>) -> Result<()> {
        let (mut is_bytes, mut large) = (false, None);
        while self.at < end {
            let tag = self.varint()?;
            let field = tag >> 3;
            match tag & 7 {
                VARINT => {
                    let value = self.varint()?;
                    is_bytes |= kind == Kind::Tensor && field == DATA_TYPE && matches!(value, UINT8 | INT8);
                    encode_varint(tag, out);
                    encode_varint(value, out);
                }
                EIGHT_BYTES | FOUR_BYTES => {
                    encode_varint(tag, out);
                    self.copy(if tag & 7 == EIGHT_BYTES { 8 } else { 4 }, out)?;
                }
                DELIMITED => {
                    let length = self.varint()?;
                    let stop = self.at.checked_add(length).filter(|stop| *stop <= end);
                    let stop = stop.ok_or_else(|| broken("it ends too early"))?;
                    if let Some(inner) = kind.within(field) {
                        let mut part = Vec::new();
                        self.message(inner, stop, &mut part)?;
                        delimited(field, &part, out);
                    } else if kind == Kind::Tensor && field == RAW_DATA && length > LARGE {
                        // Of what type it is can come after it.
                        large = Some((self.at, length));
                        self.go_to(stop)?;
                    } else {
                        encode_varint(tag, out);
                        encode_varint(length, out);
                        self.copy(length, out)?;
                    }
                }
                _ => return Err(broken("it is no protobuf")),
            }
        }
        if self.at != end {
            return Err(broken("its parts do not fit into each other"));
        }
        match large {
            Some((at, length)) if is_bytes => {
                self.go_to(at)?;
                encode_varint(RAW_DATA << 3 | DELIMITED, out);
                encode_varint(length, out);
                self.copy(length, out)?;
                self.go_to(end)
            }
            Some((at, length)) => {
                self.lies_at(at, length, out);
                Ok(())
            }
            None => Ok(()),
        }
    }

    fn go_to(&mut self, at: u64) -> Result<()> {
        self.reader.seek_relative(at as i64 - self.at as i64)?;
        self.at = at;
        Ok(())
    }

    /// Says of a tensor where it lies in the file.
    fn lies_at(&self, at: u64, length: u64, out: &mut Vec<u8>) {
        let (offset, length) = (at.to_string(), length.to_string());
        for (key, value) in [("location", self.name), ("offset", &offset), ("length", &length)] {
            let entry = StringStringEntryProto { key: key.to_owned(), value: value.to_owned() };
            delimited(EXTERNAL_DATA, &entry.encode_to_vec(), out);
        }
        encode_varint(DATA_LOCATION << 3 | VARINT, out);
        encode_varint(1, out);
    }

    fn copy(&mut self, count: u64, out: &mut Vec<u8>) -> Result<()> {
        let copied = (&mut self.reader).take(count).read_to_end(out)? as u64;
        self.at += copied;
        if copied == count { Ok(()) } else { Err(broken("it ends too early")) }
    }

    fn varint(&mut self) -> Result<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.reader.read_exact(&mut byte)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        Err(broken("it is no protobuf"))
    }
}

fn delimited(field: u64, part: &[u8], out: &mut Vec<u8>) {
    encode_varint(field << 3 | DELIMITED, out);
    encode_varint(part.len() as u64, out);
    out.extend_from_slice(part);
}

fn broken(why: &str) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use tract_onnx::pb::{GraphProto, ModelProto, NodeProto, TensorProto};

    use super::*;

    fn model() -> ModelProto {
        let tensor = |name: &str, data_type: i32, count: usize| TensorProto {
            name: name.to_owned(),
            dims: vec![count as i64],
            data_type,
            raw_data: (0..count * if data_type == 1 { 4 } else { 1 }).map(|at| at as u8).collect(),
            ..TensorProto::default()
        };
        let initializer = vec![tensor("large", 1, 1000), tensor("small", 1, 2), tensor("bytes", INT8 as i32, 2000)];
        let node = vec![NodeProto { op_type: "Relu".to_owned(), ..NodeProto::default() }];
        ModelProto { graph: Some(GraphProto { node, initializer, ..GraphProto::default() }), ..ModelProto::default() }
    }

    #[test]
    fn only_large_tensors_of_numbers_stay_where_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.onnx");
        let (model, bytes) = (model(), model().encode_to_vec());
        std::fs::write(&path, &bytes).expect("writes");
        let skeleton = ModelProto::decode(&read(&path, "a.onnx").expect("reads")[..]).expect("a model");
        let [whole, found] = [model, skeleton].map(|model| model.graph.expect("a graph"));
        assert_eq!(found.node, whole.node);
        assert_eq!(found.initializer[1..], whole.initializer[1..]);
        let large = &found.initializer[0];
        assert_eq!((large.raw_data.len(), large.data_location, &large.dims[..]), (0, Some(1), &[1000][..]));
        let said = |key: &str| &large.external_data.iter().find(|entry| entry.key == key).expect("said").value;
        assert_eq!((said("location").as_str(), said("length").as_str()), ("a.onnx", "4000"));
        let at: usize = said("offset").parse().expect("a number");
        assert_eq!(bytes[at..at + 4000], whole.initializer[0].raw_data);
    }

    #[test]
    fn a_tensor_whose_type_comes_last_is_known_for_what_it_is() {
        let tensor = TensorProto { raw_data: vec![5; 3000], ..TensorProto::default() }.encode_to_vec();
        let mut turned = tensor.clone();
        turned.extend_from_slice(&TensorProto { data_type: INT8 as i32, ..TensorProto::default() }.encode_to_vec());
        let (mut graph, mut model) = (Vec::new(), Vec::new());
        delimited(5, &turned, &mut graph);
        delimited(7, &graph, &mut model);
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.onnx");
        std::fs::write(&path, &model).expect("writes");
        let found = ModelProto::decode(&read(&path, "a.onnx").expect("reads")[..]).expect("a model");
        assert_eq!(found.graph.expect("a graph").initializer[0].raw_data, vec![5; 3000]);
    }

    #[test]
    fn what_is_cut_off_or_no_model_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("a.onnx");
        let bytes = model().encode_to_vec();
        for content in [&bytes[..bytes.len() / 2], &bytes[..bytes.len() - 1], b"no model at all", &[0x3a, 0xff, 0xff]] {
            std::fs::write(&path, content).expect("writes");
            assert!(read(&path, "a.onnx").is_err(), "{} bytes", content.len());
        }
    }
}
