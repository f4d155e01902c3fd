// The names in a request's path and headers: decoded, checked, and with the prefix that an access token puts before streams.

import { unreachable } from '../../base/invariant.ts';
import { authorize, type Principal, type Target } from '../../model/principal.ts';
import type { AccessRule } from '../../wire/authorization.ts';
import { accessTokenId, basinName, streamName } from '../names.ts';
import type { StreamTarget } from '../streams.ts';
import type { Call } from './call.ts';
import { decodeSegment, requestBasin, requestCustomerKey, requestStreamConfig } from './request.ts';

export type Named = Pick<Call, 'exchange' | 'segments' | 'principal'>;

export function pathBasin({ segments }: Named): string {
  return basinName(decodeSegment(segments[2] ?? ''), 'bad_path');
}

/** Basin and stream, as they are stored. */
export function pathStream(call: Named): readonly [basin: string, stream: string] {
  const name = streamName(decodeSegment(call.segments[2] ?? ''), 'bad_path');
  return [requestBasin(call.exchange), storedStream(call.principal, name, 'bad_path')];
}

/** Basin and stream of a path that names both. */
export function pathBasinStream(call: Named): readonly [basin: string, stream: string] {
  const name = streamName(decodeSegment(call.segments[3] ?? ''), 'bad_path');
  return [pathBasin(call), storedStream(call.principal, name, 'bad_path')];
}

export function pathToken({ segments }: Named): string {
  return accessTokenId(decodeSegment(segments[2] ?? ''), 'bad_path');
}

/** The name as it is stored: what a token with a prefix calls a stream lies below that prefix. */
export function storedStream({ streamPrefix }: Principal, name: string, code: 'bad_path' | 'bad_json'): string {
  return streamPrefix === '' ? name : streamName(streamPrefix + name, code);
}

/** The name as the token knows it. */
export function knownStream({ streamPrefix }: Principal, stored: string): string {
  return stored.slice(streamPrefix.length);
}

/** The stream that a path and its headers name, for records. */
export function streamTarget(call: Named): StreamTarget {
  const [basin, stream] = pathStream(call);
  const { headers } = call.exchange;
  const key = requestCustomerKey(headers);
  return { basin, stream, request: requestStreamConfig(headers), key };
}

/** Checks a route's row of the authorisation table, as far as path and headers go (K4). @throws StoreError `permission_denied`, `bad_path`, `bad_header` */
export function authorizeRoute({ operation, on }: AccessRule, call: Named): void {
  authorize(call.principal, operation);
  authorize(call.principal, operation, targetOf(on, call));
}

function targetOf(on: AccessRule['on'], call: Named): Target {
  switch (on) {
    case 'account':
    case 'basin in body':
    case 'token in body':
      return {};
    case 'basin in path':
      return { basin: pathBasin(call) };
    case 'basin in header':
    case 'stream in body':
      return { basin: requestBasin(call.exchange) };
    case 'stream in path': {
      const [basin, stream] = pathStream(call);
      return { basin, stream };
    }
    case 'basin and stream in path': {
      const [basin, stream] = pathBasinStream(call);
      return { basin, stream };
    }
    case 'token in path':
      return { accessToken: pathToken(call) };
    default:
      return unreachable(on);
  }
}
