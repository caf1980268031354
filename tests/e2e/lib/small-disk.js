import process from 'node:process';

const isRoot = process.getuid() === 0;

/**
 * What has a command run with its `--data-dir` on a disk of its own, of so many megabytes: a mount in a namespace that ends with it.
 * To be a `prefix` of `Spillway.start`.
 */
export function onSmallDisk(megabytes) {
  const user = isRoot ? [] : ['--user', '--map-root-user'];
  const script = `for word; do [ "$before" != --data-dir ] || dir=$word; before=$word; done
    mount -t tmpfs -o size=${megabytes}m tmpfs "$dir" && exec "$@"`;
  return ['unshare', ...user, '--mount', 'sh', '-c', script, 'sh'];
}

/** What has another command run in that namespace. */
export function besideOnSmallDisk(pid) {
  const user = isRoot ? [] : ['--user', '--preserve-credentials'];
  return ['nsenter', '--target', String(pid), ...user, '--mount', '--'];
}

/** Where that disk is for those outside of the namespace, for as long as the process lives. */
export const seenFrom = (pid, dir) => `/proc/${pid}/root${dir}`;
