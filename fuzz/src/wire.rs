//! HTTP requests as text: what the targets `signature` and `request` take, and their seeds are.

use bytes::Bytes;
use http::{Request, Uri};

/// Headers of a request; servers have some such limit.
const HEADERS_MAX: usize = 64;

/// The request that `data` begins with; what follows its head is the body. None if no server would pass it on.
pub fn request(data: &[u8]) -> Option<Request<Bytes>> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut head = httparse::Request::new(&mut headers);
    let length = match head.parse(data).ok()? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return None,
    };
    let uri: Uri = head.path?.parse().ok()?;
    let mut request = Request::builder().method(head.method?).uri(uri);
    for header in head.headers.iter() {
        request = request.header(header.name, header.value);
    }
    request.body(Bytes::copy_from_slice(data.get(length..)?)).ok()
}
