import assert from 'node:assert/strict';
import { test } from 'node:test';
import { csvLine, longest, Parser, safe, type Row } from './csv.ts';

// read parses a text that comes in pieces of a size.
function read(text: string, size = text.length || 1, separator = ','): Row[] {
  const parser = new Parser(separator);
  const rows: Row[] = [];
  for (let i = 0; i < text.length; i += size) rows.push(...parser.push(text.slice(i, i + size)));
  return [...rows, ...parser.end()];
}

const cells = (rows: Row[]) => rows.map((r) => r.cells);

test('CR, LF and CRLF end a line, and the last line needs no end', () => {
  for (const end of ['\r', '\n', '\r\n']) {
    const text = ['phone,tag', '79001234567,a', '', '79001234568,b'].join(end);
    for (const whole of [text, text + end]) {
      for (let size = 1; size <= whole.length; size++) {
        assert.deepEqual(read(whole, size), [
          { line: 1, cells: ['phone', 'tag'] }, { line: 2, cells: ['79001234567', 'a'] }, { line: 3, cells: [''] }, { line: 4, cells: ['79001234568', 'b'] },
        ], JSON.stringify([whole, size]));
      }
    }
  }
});

test('a cell in quotes may have separators, doubled quotes and line ends; pieces may end anywhere', () => {
  const text = 'a,"b,""c""\r\nd",""\n"",x\ne,"",f"g"h\n';
  for (let size = 1; size <= text.length; size++) {
    assert.deepEqual(read(text, size), [
      { line: 1, cells: ['a', 'b,"c"\r\nd', ''] }, { line: 3, cells: ['', 'x'] }, { line: 4, cells: ['e', '', 'f"g"h'] },
    ], String(size));
  }
});

test('an empty cell at the end of the file counts', () => {
  assert.deepEqual(cells(read('a,b,')), [['a', 'b', '']]);
  assert.deepEqual(cells(read('a;b;\n', 2, ';')), [['a', 'b', '']]);
});

test('text after a closing quote costs its row only', () => {
  assert.deepEqual(read('"a"b,c\nd,e\n'), [{ line: 1, cells: ['"a"b,c'], fault: 'after' }, { line: 2, cells: ['d', 'e'] }]);
});

test('a quote that is not closed costs its row only', () => {
  const text = 'a,"b\nc,d\n\ne,f\n';
  for (let size = 1; size <= text.length; size++) {
    assert.deepEqual(read(text, size), [
      { line: 1, cells: ['a,"b'], fault: 'open' }, { line: 2, cells: ['c', 'd'] }, { line: 3, cells: [''] }, { line: 4, cells: ['e', 'f'] },
    ]);
  }
});

test('a quote that is not closed does not take the first quote of a later row for its end', () => {
  assert.deepEqual(read('a,"b\nc,"d,e"\n'), [{ line: 1, cells: ['a,"b'], fault: 'open' }, { line: 2, cells: ['c', 'd,e'] }]);
});

test('a quote that is not closed in a long file is given up after the longest row', () => {
  const many = Array.from({ length: longest / 8 }, (_, i) => `x${i},yyyyyyyy`);
  const rows = read(`a,"b\r\n${many.join('\r\n')}\r\n`, 1000);
  assert.equal(rows.length, many.length + 1);
  assert.deepEqual(rows[0], { line: 1, cells: ['a,"b'], fault: 'open' });
  assert.deepEqual(rows.at(-1), { line: many.length + 1, cells: [`x${many.length - 1}`, 'yyyyyyyy'] });
});

test('a line that is too long is one row with a fault, in pieces of any length', () => {
  for (const size of [7, 1000, longest * 4]) {
    const rows = read(`a,b\r\n${'z'.repeat(longest * 2)},\r\nc,d\r\n`, size);
    assert.deepEqual(rows.map((r) => [r.line, r.fault]), [[1, undefined], [2, 'long'], [3, undefined]], String(size));
    assert.deepEqual(rows[2]!.cells, ['c', 'd']);
  }
});

test('what is written is read again', () => {
  const row = ['a', 'b,c', 'd"e', 'f\r\ng', ' h ', '', '=1'];
  for (const separator of [',', ';', '\t']) assert.deepEqual(cells(read(csvLine(row, separator), 3, separator)), [row]);
});

test('a spreadsheet runs no cell as a formula', () => {
  const written = Object.fromEntries(['=1+1', '+7900', '-1', '@a', "'a", 'a=1', 'x;=1', 'a\n=cmd', 'a\r=cmd', 'a\n\r\t-b', ' =1', ''].map((t) => [t, safe(t)]));
  assert.deepEqual(written, {
    '=1+1': "'=1+1", '+7900': "'+7900", '-1': "'-1", '@a': "'@a", "'a": "''a", 'a=1': 'a=1', 'x;=1': "x;'=1", 'a\n=cmd': "a\n'=cmd", 'a\r=cmd': "a\r'=cmd", 'a\n\r\t-b': "a\n'\r'\t-b", ' =1': "' =1", '': '',
  });
});
