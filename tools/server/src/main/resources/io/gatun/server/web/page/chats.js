// Conversations, each under a key of its own in localStorage, so that two tabs do not overwrite each other's.

const PREFIX = 'gatun.chat.';

/// All of them, the latest first.
export function all() {
  return Object.keys(localStorage)
    .filter(name => name.startsWith(PREFIX))
    .map(name => { try { return JSON.parse(localStorage.getItem(name)); } catch { return null; } })
    .filter(chat => chat?.id && Array.isArray(chat.messages))
    .sort((a, b) => b.changed - a.changed);
}

export const fresh = parameters => ({id: crypto.randomUUID?.() ?? String(Math.random()).slice(2), changed: Date.now(), parameters, messages: []});

/// Keeps a conversation; false where the browser has no room left for it.
export function save(chat) {
  try {
    localStorage.setItem(PREFIX + chat.id, JSON.stringify(chat));
    return true;
  } catch {
    return false;
  }
}

export const remove = chat => localStorage.removeItem(PREFIX + chat.id);

export const title = chat => chat.messages.find(m => m.role === 'user')?.content.trim().slice(0, 80) || 'New chat';
