import assert from 'node:assert/strict';
import fs from 'node:fs/promises';
import path from 'node:path';

/** The process of a node's sidecar: the node's only child, of whichever thread. */
export async function sidecarOf(pid) {
  const tasks = `/proc/${pid}/task`;
  const lists = (await fs.readdir(tasks)).map((task) =>
    fs.readFile(path.join(tasks, task, 'children'), 'utf8'),
  );
  const children = (await Promise.all(lists)).join(' ').match(/\d+/g) ?? [];
  assert.equal(children.length, 1, `children: ${children}`);
  return Number(children[0]);
}
