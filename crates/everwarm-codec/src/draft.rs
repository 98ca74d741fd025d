//! Envelopes in the making: all that stands before the payload is there, the payload is appended by who has it.

use bytes::Bytes;
use everwarm_core::codec::{Binding, Meta};
use everwarm_core::error::{Error, ErrorKind};

use crate::body;
use crate::compress::Method;
use crate::envelope::{HEADER, header};
use crate::pipeline::Pipeline;

/// An envelope whose payload is still to be written.
#[derive(Debug)]
pub struct Draft<'a> {
    pipeline: &'a Pipeline,
    envelope: Vec<u8>,
    payload: usize,
}

impl<'a> Draft<'a> {
    /// Writes all that stands before the payload into `buffer`, which is emptied first.
    pub(crate) fn begin(
        pipeline: &'a Pipeline,
        meta: &Meta,
        mut buffer: Vec<u8>,
    ) -> Result<Self, Error> {
        buffer.clear();
        buffer.resize(HEADER + pipeline.suite().before(), 0);
        body::begin(meta, &mut buffer)?;
        Ok(Self {
            pipeline,
            payload: buffer.len(),
            envelope: buffer,
        })
    }

    /// Where the payload is to be appended; what is there already is to be left as it is.
    pub fn payload(&mut self) -> &mut Vec<u8> {
        &mut self.envelope
    }

    /// The envelope, with what was appended as its payload.
    ///
    /// # Errors
    /// As [`seal`](everwarm_core::codec::Codec::seal).
    pub fn finish(self, binding: &Binding<'_>) -> Result<Bytes, Error> {
        self.finish_buffer(binding).map(Bytes::from)
    }

    /// As [`finish`](Self::finish), in the buffer that was given.
    ///
    /// # Errors
    /// As `finish`.
    pub fn finish_buffer(mut self, binding: &Binding<'_>) -> Result<Vec<u8>, Error> {
        let Some(payload) = self.envelope.get(self.payload..) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "an envelope was cut before it was finished",
                "append the payload, and leave what is there as it is",
            ));
        };
        let length = self.pipeline.checked(payload)?;
        match self.pipeline.pack(payload) {
            Some((method, packed)) => {
                self.envelope.truncate(self.payload);
                self.envelope.extend_from_slice(&packed);
                self.close(binding, Some(method), length)
            }
            None => self.close(binding, None, length),
        }
    }

    /// The envelope of a payload that is there.
    pub(crate) fn put(mut self, binding: &Binding<'_>, payload: &[u8]) -> Result<Bytes, Error> {
        let length = self.pipeline.checked(payload)?;
        let envelope = match self.pipeline.pack(payload) {
            Some((method, packed)) => {
                self.envelope.extend_from_slice(&packed);
                self.close(binding, Some(method), length)
            }
            None => {
                self.envelope.extend_from_slice(payload);
                self.close(binding, None, length)
            }
        };
        envelope.map(Bytes::from)
    }

    /// Seals what was written.
    fn close(
        mut self,
        binding: &Binding<'_>,
        method: Option<Method>,
        length: u32,
    ) -> Result<Vec<u8>, Error> {
        let suite = self.pipeline.suite();
        let start = HEADER + suite.before();
        body::complete(&mut self.envelope[start..], method, length);
        let body = u32::try_from(self.envelope.len() - start).expect("a value is below 1 GiB");
        let header = header(suite, self.pipeline.key_id(), body);
        self.envelope[..HEADER].copy_from_slice(&header);
        self.pipeline.protect(&mut self.envelope, binding)?;
        Ok(self.envelope)
    }
}
