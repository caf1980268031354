/** A worker that ticks: pages in the background get no animation frames and only slow timers, workers keep theirs. */
let timer: ReturnType<typeof setInterval> | undefined;

self.addEventListener('message', (event: MessageEvent<number>) => {
  clearInterval(timer);
  timer = setInterval(() => {
    self.postMessage(null);
  }, event.data);
});
