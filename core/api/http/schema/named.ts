// The schemas that the API's description names: those that check requests, and those that answers follow.

import {
  appendAck,
  appendInput,
  basinInfo,
  basinList,
  conditionFailed,
  errorInfo,
  readBatch,
  streamInfo,
  streamList,
  streamStatus,
  tailAnswer,
} from './answers.ts';
import { basinConfigAnswer, basinFields, createBasin, createStream, ensureBasin, streamConfigAnswer, streamFields } from './config.ts';
import { locationInfo, locationList, locationName, metricSet } from './metrics.ts';
import { issuedToken, issueToken, tokenList } from './tokens.ts';

/** What requests hold: described as it comes in. */
export const REQUEST_SCHEMAS = {
  CreateBasinRequest: createBasin,
  EnsureBasinRequest: ensureBasin,
  BasinReconfiguration: basinFields,
  CreateStreamRequest: createStream,
  StreamConfigRequest: streamFields,
  AppendInput: appendInput,
  IssueAccessTokenRequest: issueToken,
  LocationName: locationName,
} as const;

/** What answers hold: described as it goes out. */
export const ANSWER_SCHEMAS = {
  ErrorInfo: errorInfo,
  ConditionFailed: conditionFailed,
  BasinInfo: basinInfo,
  BasinList: basinList,
  BasinConfig: basinConfigAnswer,
  StreamInfo: streamInfo,
  StreamList: streamList,
  StreamStatus: streamStatus,
  StreamConfig: streamConfigAnswer,
  AppendAck: appendAck,
  ReadBatch: readBatch,
  TailResponse: tailAnswer,
  AccessTokenList: tokenList,
  IssueAccessTokenResponse: issuedToken,
  LocationInfo: locationInfo,
  LocationList: locationList,
  MetricSet: metricSet,
} as const;

export type SchemaName = keyof typeof REQUEST_SCHEMAS | keyof typeof ANSWER_SCHEMAS;
