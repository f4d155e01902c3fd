// The media types that requests and answers are of. (S2 v1 API, sections 1.3 and 4.1.)

export type MediaType = 'json' | 'protobuf' | 'session' | 'event-stream' | 'other';

/** Of a content-type, or of the first in an accept. */
export function mediaType(value: string | undefined): MediaType | undefined {
  const name = value?.split(',', 1)[0]?.split(';', 1)[0]?.trim().toLowerCase();
  if (name === undefined || name === '') return undefined;
  if (name === 's2s/proto') return 'session';
  if (name === 'text/event-stream') return 'event-stream';
  if (name === 'application/protobuf' || name === 'application/x-protobuf') return 'protobuf';
  if (name === 'application/json' || /^application\/[^/]+\+json$/.test(name)) return 'json';
  return 'other';
}
