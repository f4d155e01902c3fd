// What lies outside of /v1, and what browsers need. (Section 1.6.)

import { strict as assert } from 'node:assert';
import { type Case, get, put } from '../case.ts';
import { matching } from '../expect.ts';

const NEEDED_HEADERS = [
  'authorization',
  'content-type',
  'accept',
  'last-event-id',
  's2-basin',
  's2-format',
  's2-request-token',
  's2-encryption-key',
  's2-stream-config',
];

export const ORIGIN_CASES: readonly Case[] = [
  {
    name: '/health and /ping answer 200 without a token',
    shows: ['1.6-health', '1.6-ping'],
    basin: null,
    steps: [
      [get('//health', { as: null }), { status: 200, text: matching(/OK/i) }],
      [get('//ping', { as: null }), { status: 200, text: matching(/OK/i) }],
    ],
  },
  {
    name: '/metrics is Prometheus text',
    shows: ['1.6-prometheus'],
    basin: null,
    steps: [
      [
        get('//metrics'),
        {
          status: 200,
          text: matching(/^# TYPE \S+ (counter|gauge|histogram|summary)$/m),
          headers: { 'content-type': matching(/^text\/plain/) },
        },
      ],
    ],
  },
  {
    name: 'a preflight allows what the API needs, without a token',
    shows: ['1.6-cors-preflight'],
    run: async (client) => {
      for (const path of ['/basins', '/streams/s/records', '/access-tokens']) {
        for (const method of ['GET', 'POST', 'PUT', 'PATCH', 'DELETE']) {
          const answer = await client.call({
            method: 'OPTIONS',
            path,
            as: null,
            headers: {
              origin: 'https://app.example.com',
              'access-control-request-method': method,
              'access-control-request-headers': NEEDED_HEADERS.join(', '),
            },
          });
          assert.ok(answer.status === 200 || answer.status === 204, `got ${answer.status}`);
          const list = (name: string) => (answer.headers[name] ?? '').toLowerCase().split(/\s*,\s*/);
          assert.match(answer.headers['access-control-allow-origin'] ?? '', /^(\*|https:\/\/app\.example\.com)$/);
          assert.ok(list('access-control-allow-methods').some((one) => one === '*' || one === method.toLowerCase()));
          // A star does not stand for authorization.
          const allowed = list('access-control-allow-headers');
          for (const header of NEEDED_HEADERS) {
            assert.ok(allowed.includes(header) || (header !== 'authorization' && allowed.includes('*')), `${header} is not allowed`);
          }
        }
      }
    },
  },
  {
    name: 'answers to browsers expose the outcome of provisioning',
    shows: ['1.6-cors-exposed'],
    steps: [
      [
        put('/streams/s', undefined, { headers: { origin: 'https://app.example.com' } }),
        {
          status: 201,
          headers: {
            'access-control-allow-origin': matching(/^(\*|https:\/\/app\.example\.com)$/),
            'access-control-expose-headers': matching(/s2-provision-result|\*/i),
          },
        },
      ],
    ],
  },
];
