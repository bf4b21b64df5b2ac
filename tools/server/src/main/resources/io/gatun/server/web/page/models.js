// The models that the server has, and the fields in which a view's model is chosen.

import {json} from './api.js';
import {byId, h} from './dom.js';

const FIELDS = {chat: 'chat-model', images: 'image-model', segmentation: 'segment-model'};
let models = [];

export const model = kind => models.find(m => m.id === byId(FIELDS[kind]).value);

/// The tokens that a conversation with a model may have, where the server says.
export const contextOf = m => m?.max_model_len ?? null;

/// Reads the list again; what was chosen stays chosen, in the next visit too.
export async function loadModels() {
  models = (await json('v1/models')).data;
  for (const [kind, id] of Object.entries(FIELDS)) {
    const field = byId(id);
    const chosen = field.value || localStorage.getItem('gatun.model.' + kind);
    const fitting = models.filter(m => kindOf(m) === kind);
    field.replaceChildren(...fitting.map(m => h('option', {value: m.id}, m.id)));
    if (fitting.some(m => m.id === chosen)) field.value = chosen;
    if (!fitting.length) field.append(h('option', {value: ''}, 'No such model is served'));
    field.disabled = !fitting.length;
    field.onchange = () => localStorage.setItem('gatun.model.' + kind, field.value);
    field.dispatchEvent(new Event('models'));
  }
  return models;
}

/// All that the server has.
export const all = () => models;

export const kindOf = m => m.use;
