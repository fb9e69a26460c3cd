// The file drop: drag and drop, a check of size and kind before anything is sent, real progress while sending.
//
// The form is sent by XMLHttpRequest because only that tells how far an upload is. The answer may be JSON
// {"location": address}, a redirect (its target is opened), or the page again with its errors (its <main> is put in place).

function size(bytes) {
  const unit = bytes < 1_000_000 ? ["kilobyte", 1000] : ["megabyte", 1_000_000];
  const format = { style: "unit", unit: unit[0], maximumFractionDigits: unit[1] === 1000 ? 0 : 1 };
  return new Intl.NumberFormat(document.documentElement.lang, format).format(bytes / unit[1]);
}

function isPdf(file) {
  return file.type === "application/pdf" || file.name.toLowerCase().endsWith(".pdf");
}

function enhanceFileDrop(drop, enhance) {
  const part = (name) => drop.querySelector(`[data-file-${name}]`);
  const input = drop.querySelector('input[type="file"]');
  const form = input.form;
  const zone = part("zone");
  const limit = Number(drop.dataset.maxBytes) || Infinity;
  let request = null;

  // What a refusal asks for: a password, or whether to repair the file.
  const ask = (code) => {
    for (const part of form.querySelectorAll("[data-upload-asks]")) {
      part.hidden = !part.dataset.uploadAsks.split(" ").includes(code);
      if (!part.hidden) part.querySelector("input, button")?.focus();
      else for (const field of part.querySelectorAll("input")) field.value = "";
    }
  };

  const complain = (text) => {
    part("error").hidden = !text;
    part("error").querySelector("span").textContent = text;
    drop.classList.toggle("field--error", Boolean(text));
    if (text) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  };

  const fault = (file) => {
    if (file.size > limit) return drop.dataset.textTooLarge;
    return isPdf(file) ? "" : drop.dataset.textWrongType;
  };

  const show = () => {
    const file = input.files[0];
    zone.classList.toggle("file-drop--chosen", Boolean(file));
    part("title").hidden = Boolean(file);
    part("chosen").hidden = !file;
    part("label").textContent = file ? drop.dataset.textAnother : part("label").dataset.first;
    part("chosen").textContent = file ? `${file.name} (${size(file.size)})` : "";
    complain(file ? fault(file) : "");
  };

  const progress = (doing, sent, total) => {
    const bar = part("progress").querySelector("progress");
    part("progress").hidden = !doing;
    part("doing").textContent = doing;
    part("numbers").textContent = total ? `${size(sent)} / ${size(total)}` : "";
    if (total) bar.value = (100 * sent) / total;
    else bar.removeAttribute("value");
  };

  const stop = (text) => {
    request = null;
    progress("");
    complain(text);
    form.inert = false;
    delete form.dataset.sent;
  };

  const arrived = () => {
    const answer = request;
    if (answer.getResponseHeader("Content-Type")?.startsWith("application/json")) {
      const body = JSON.parse(answer.responseText);
      if (body.location) window.location.assign(body.location);
      else {
        stop(body.error_description || drop.dataset.textFailed);
        ask(body.error);
      }
      return;
    }
    const here = new URL(form.action, document.baseURI);
    if (answer.status < 400 && answer.responseURL && answer.responseURL !== here.href) {
      window.location.assign(answer.responseURL);
      return;
    }
    const main = new DOMParser().parseFromString(answer.responseText, "text/html").querySelector("main");
    if (!main) {
      stop(drop.dataset.textFailed);
      return;
    }
    document.querySelector("main").replaceWith(main);
    enhance(main);
  };

  const send = (event) => {
    const file = input.files[0];
    if (event.defaultPrevented || !file) return;
    event.preventDefault();
    if (request) return;
    const text = fault(file);
    complain(text);
    if (text) {
      input.focus();
      return;
    }
    const data = new FormData(form, event.submitter);
    request = new XMLHttpRequest();
    request.open("POST", form.action);
    request.setRequestHeader("Accept", "application/json, text/html");
    request.setRequestHeader("X-Requested-With", "XMLHttpRequest");
    request.upload.addEventListener("progress", (step) => {
      if (step.lengthComputable) progress(drop.dataset.textSending, step.loaded, step.total);
    });
    request.upload.addEventListener("load", () => progress(drop.dataset.textChecking, 0, 0));
    request.addEventListener("load", arrived);
    request.addEventListener("error", () => stop(drop.dataset.textFailed));
    request.addEventListener("abort", () => stop(""));
    progress(drop.dataset.textSending, 0, file.size);
    request.send(data);
  };

  part("title").hidden = false;
  part("label").hidden = false;
  part("label").dataset.first = part("label").textContent;
  zone.classList.add("file-drop--ready");
  part("cancel").addEventListener("click", () => request?.abort());
  input.addEventListener("change", () => {
    ask("");
    show();
  });
  form.addEventListener("submit", send);
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      if (!event.dataTransfer?.types.includes("Files")) return;
      event.preventDefault();
      zone.classList.add("file-drop--over");
    });
  }
  zone.addEventListener("dragleave", (event) => {
    if (!zone.contains(event.relatedTarget)) zone.classList.remove("file-drop--over");
  });
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("file-drop--over");
    if (event.dataTransfer.files.length) {
      input.files = event.dataTransfer.files;
      show();
    }
  });
  if (input.files.length) show();
}

export function enhanceFileDrops(root, enhance) {
  for (const drop of root.querySelectorAll("[data-file-drop]")) enhanceFileDrop(drop, enhance);
}
