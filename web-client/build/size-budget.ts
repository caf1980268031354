import { gzipSync } from 'node:zlib';
import type { Plugin, Rollup } from 'vite';

/** What one page may make a browser download and run, in bytes after gzip. */
export interface SizeBudget {
  script: number;
  style: number;
}

/** Fails the build when a page's scripts or styles outgrow their budget. */
export function sizeBudget(budget: SizeBudget): Plugin {
  return {
    name: 'spillway-size-budget',
    apply: 'build',
    generateBundle: {
      order: 'post',
      handler(_options, bundle) {
        for (const entry of Object.values(bundle)) {
          if (entry.type !== 'chunk' || !entry.isEntry) continue;
          const { script, style } = pageSize(entry, bundle);
          this.info(`${entry.name}: ${script} B of script, ${style} B of style (gzip)`);
          if (script > budget.script || style > budget.style) {
            this.error(
              `page ${entry.name} is over its budget: ${script} of ${budget.script} B of script, ` +
                `${style} of ${budget.style} B of style`,
            );
          }
        }
      },
    },
  };
}

function pageSize(entry: Rollup.OutputChunk, bundle: Rollup.OutputBundle): SizeBudget {
  const size: SizeBudget = { script: 0, style: 0 };
  const seen = new Set<string>();
  const visit = (fileName: string): void => {
    const file = bundle[fileName];
    if (file === undefined || seen.has(fileName)) return;
    seen.add(fileName);
    if (file.type === 'asset') {
      size.style += gzipSync(file.source).length;
      return;
    }
    size.script += gzipSync(file.code).length;
    file.imports.forEach(visit);
    file.viteMetadata?.importedCss.forEach(visit);
  };
  visit(entry.fileName);
  return size;
}
