// A request's body on its way to the origin.
//
//   X6  A body that breaks off never looks whole to whoever gets it. What flows is handed to the runtime as it came: it breaks off the
//       connection to the origin, too. (A stream made here would be ended like a whole one, and half a batch taken for a batch.)
//
// A small body is read whole, as is sent again where its stream has moved; what flows cannot be.

/** A body of known length up to this is read before it is sent: most appends. */
const WHOLE_BYTES_MAX = 64 * 1024;

export interface RequestBody {
  /** Whether it can be sent again. */
  readonly isRepeatable: boolean;
  readonly init: ArrayBuffer | ReadableStream | null;
}

/** @param mayMove whether it may have to be sent again. @throws when the client breaks off a body that is read whole */
export async function requestBody(request: Request, mayMove: boolean): Promise<RequestBody> {
  if (request.body === null || request.method === 'GET' || request.method === 'HEAD') return { isRepeatable: true, init: null };
  const length = request.headers.get('content-length');
  if (mayMove && length !== null && Number(length) <= WHOLE_BYTES_MAX) return { isRepeatable: true, init: await request.arrayBuffer() };
  return { isRepeatable: false, init: request.body };
}
