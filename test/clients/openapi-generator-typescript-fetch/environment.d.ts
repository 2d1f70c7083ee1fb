// The part of Node's types that the scenario needs.
declare const process: { env: Record<string, string | undefined> };
