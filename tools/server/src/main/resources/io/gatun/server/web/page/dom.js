// Elements, made without HTML in strings: the page's policy allows none (Trusted Types).

export const byId = id => document.getElementById(id);

/// An element. An attribute that is a function is a listener; true sets it, false, null and undefined leave it out.
export function h(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.replace(/^on/, ''), value);
    else if (value === true) element.setAttribute(name, '');
    else if (value !== false && value != null) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter(child => child != null));
  return element;
}

export function icon(name) {
  const svg = document.createElementNS('http://www.w3.org/2000/svg', 'svg');
  svg.setAttribute('aria-hidden', 'true');
  const use = document.createElementNS('http://www.w3.org/2000/svg', 'use');
  use.setAttribute('href', '#i-' + name);
  svg.append(use);
  return svg;
}

export const iconButton = (name, label, onclick) =>
  h('button', {type: 'button', class: 'icon', 'aria-label': label, title: label, onclick}, icon(name));

let toastTimer;
export function toast(text) {
  const element = byId('toast');
  element.textContent = text;
  element.hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { element.hidden = true; }, 3500);
}

/// Shows a sentence where errors of a view stand, or hides the place.
export function showError(element, text) {
  element.textContent = text ?? '';
  element.hidden = !text;
}

/// Copies even where the page is not served over HTTPS or from this machine, without the clipboard's interface.
export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h('textarea', {class: 'unseen'});
    area.value = text;
    document.body.append(area);
    area.select();
    const done = document.execCommand('copy');
    area.remove();
    if (!done) return toast('The browser does not let this page copy.');
  }
  toast('Copied.');
}

export function download(name, content) {
  const url = URL.createObjectURL(content);
  h('a', {href: url, download: name}).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/// Images dropped on the place, chosen in the file field, or pasted while the view is shown.
export function receiveImages(place, field, view, receive) {
  const take = files => {
    const file = [...files].find(f => f.type.startsWith('image/'));
    if (file) receive(file);
    return file;
  };
  field.addEventListener('change', () => {
    if (!take(field.files) && field.files.length) toast('That is not an image.');
    field.value = '';
  });
  place.addEventListener('dragover', event => { event.preventDefault(); place.classList.add('over'); });
  place.addEventListener('dragleave', () => place.classList.remove('over'));
  place.addEventListener('drop', event => {
    event.preventDefault();
    place.classList.remove('over');
    if (!take(event.dataTransfer.files)) toast('That is not an image.');
  });
  document.addEventListener('paste', event => {
    if (!view.hidden && take(event.clipboardData.files)) event.preventDefault();
  });
}

/// The number beside each slider of a form.
export function showSliders(form) {
  const show = () => {
    for (const slider of form.querySelectorAll('input[type=range]')) {
      const output = slider.parentElement.querySelector('output');
      if (output) output.textContent = slider.value;
    }
  };
  form.addEventListener('input', show);
  form.addEventListener('reset', () => setTimeout(show));
  show();
  return show;
}

export const megabytes = bytes =>
  bytes >= 1e9 ? (bytes / 1e9).toFixed(1) + ' GB' : Math.round(bytes / 1e6) + ' MB';
