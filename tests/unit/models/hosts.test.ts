import { expect, it } from 'vitest';
import { contentSecurityPolicy } from '../../../build/csp.ts';

const sources = /connect-src ([^;]+)/.exec(contentSecurityPolicy)![1].split(' ');

/** Whether the policy lets a request to this host through (CSP3, "host-part matches"). */
const allows = (host: string) =>
  sources.some((source) => {
    const name = source.replace('https://', '');
    return name.startsWith('*.') ? host.endsWith(name.slice(1)) : host === name;
  });

// As https://huggingface.co/.well-known/meta.json lists them (lfsDomains, cdnDomains, hubDomains), and where
// the classic bridge to Xet storage and older links lead.
it.each([
  'huggingface.co',
  'cdn-lfs.hf.co',
  'cdn-lfs-us-1.hf.co',
  'cdn-lfs-eu-1.hf.co',
  'transfer.xethub.hf.co',
  'transfer.xethub-eu.hf.co',
  'cas-bridge.xethub.hf.co',
  'cas-server.xethub.hf.co',
  'aws.cdn.hf.co',
  'us.aws.cdn.hf.co',
  'eu-west-3.aws.cdn.hf.co',
  'europe-west4.us.gcp.cdn.hf.co',
  'cdn-lfs.huggingface.co',
  'cdn-lfs-us-1.huggingface.co',
])('a download from %s is allowed', (host) => {
  expect(allows(host)).toBe(true);
});

it.each(['huggingface.co.example.com', 'example.com', 'evilhf.co', 'nothuggingface.co'])(
  '%s is not',
  (host) => {
    expect(allows(host)).toBe(false);
  },
);
