// run.mjs COLLECTION sends the requests of a collection about clients and mailings. Each answer
// must have a status that the collection documents for the request, and none says that the
// request was malformed.
import { readFileSync } from 'node:fs';
import newman from 'newman';

const collection = JSON.parse(readFileSync(process.argv[2], 'utf8'));
// The export of a collection holds no files, so a person chooses the file to import.
const folders = collection.item.filter((f) => ['clients', 'mailings'].includes(f.name));
const leaves = (items) => items.flatMap((i) => (i.item ? leaves(i.item) : [i]));
let requests = 0;
for (const item of leaves(folders)) {
  requests++;
  const documented = item.response.map((r) => r.code);
  // The example of a key is one for all requests, and a key belongs to one request.
  item.request.header?.filter((h) => h.key === 'Idempotency-Key').forEach((h) => { h.value = '{{$guid}}'; });
  const file = item.request.body?.formdata?.find((p) => p.key === 'file');
  if (file) {
    Object.assign(file, { type: 'file', src: 'clients.csv' });
    delete file.value;
  }
  item.event = [{
    listen: 'test',
    script: {
      exec: [`pm.test('as documented', () => pm.expect(pm.response.code).to.be.oneOf(${JSON.stringify(documented)}));`,
        "pm.test('accepted', () => pm.expect(pm.response.code).to.not.be.oneOf([400, 401, 403, 405, 413, 415, 422, 500]));"],
    },
  }];
}
collection.item = folders;
const variable = (key, value) => ({ key, value });
newman.run({
  collection,
  workingDir: '.',
  envVar: [variable('baseUrl', process.env.BASE), variable('bearerToken', process.env.KEY)],
}, (err, summary) => {
  const failures = err ? [err] : summary.run.failures.map((f) => `${f.source?.name}: ${f.error.message}`);
  if (failures.length || summary.run.stats.requests.total !== requests || requests < 20) {
    console.error(requests, summary?.run.stats.requests, failures);
    process.exit(1);
  }
  console.log('passed');
});
