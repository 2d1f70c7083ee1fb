// collection.mjs DESCRIPTION COLLECTION imports the description as Postman does, with its examples.
import { readFileSync, writeFileSync } from 'node:fs';
import converter from 'openapi-to-postmanv2';

const [description, to] = process.argv.slice(2);
const options = { folderStrategy: 'Tags', requestParametersResolution: 'Example', parametersResolution: 'Example' };
const input = { type: 'string', data: readFileSync(description, 'utf8') };
converter.convertV2(input, options, (err, made) => {
  if (err || !made.result) {
    throw new Error(String(err ?? made.reason));
  }
  writeFileSync(to, JSON.stringify(made.output[0].data));
});
