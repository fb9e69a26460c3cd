// Goes on when every application's frame has loaded, or did not in three seconds.
const onward = document.getElementById("onward");
const telling = document.getElementById("telling");

// A page has loaded when its frames have.
const loaded = new Promise((resolve) => {
  if (document.readyState === "complete") resolve();
  else addEventListener("load", resolve, { once: true });
});
const late = new Promise((resolve) => setTimeout(resolve, 3000));

Promise.race([loaded, late]).then(() => {
  telling.textContent = telling.dataset.done;
  if (onward) location.replace(onward.href);
});
