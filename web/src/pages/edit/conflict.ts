// Two people have edited the same mailing: what each of them has changed.
import { changedFields, fields, same, type Field, type Values } from './draft.ts';

export type Side = 'mine' | 'theirs';

export interface Row {
  field: Field;
  // suggested is the side that alone has changed the field; nothing if both have.
  suggested: Side | undefined;
  // fixed fields cannot be changed any more: theirs stays.
  fixed: boolean;
}

// compare returns the fields in which two versions differ. base is the version from which
// mine was made.
export function compare(base: Values, mine: Values, theirs: Values, locked: Field[]): Row[] {
  return changedFields(mine, theirs).map((field) => {
    const fixed = locked.includes(field);
    if (fixed || same(base, mine, field)) return { field, suggested: 'theirs', fixed };
    return { field, suggested: same(base, theirs, field) ? 'mine' : undefined, fixed };
  });
}

// quiet reports whether nothing has to be asked: all differences are changes of mine that
// can still be made.
export function quiet(rows: Row[]): boolean {
  return rows.every((r) => r.suggested === 'mine');
}

// merge returns the chosen values. Fields without a choice are theirs.
export function merge(mine: Values, theirs: Values, choices: Partial<Record<Field, Side>>): Values {
  const result = { ...theirs };
  for (const f of fields) if (choices[f] === 'mine') take(result, mine, f);
  return result;
}

function take<F extends Field>(to: Values, from: Values, field: F) {
  to[field] = from[field];
}
