package io.gatun.loaders.pth;

import io.gatun.loaders.CheckpointException;
import io.gatun.loaders.file.ByteReader;
import io.gatun.loaders.file.SourceFile;
import java.math.BigInteger;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;

/// A reader of Python pickles that can make only numbers, strings, containers, and what
/// [TorchObjects] lists; nothing a file names is ever looked up or run.
///
/// The text opcodes of protocols 0 and 1 are left out, for `torch.save` always wrote protocol 2 or
/// later. Python's int becomes Long (BigInteger beyond), float Double, str and bytes String, list
/// and set ArrayList, tuple [TorchObjects.Tuple], dict LinkedHashMap.
///
/// Source: `Lib/pickletools.py` of CPython, which describes every opcode; `_weights_only_unpickler`
/// of PyTorch, whose subset this is.
final class Unpickler {
  /// About what an opcode takes of the heap beside the text that follows it: most make a value, or
  /// an entry of the memo.
  private static final int STEP = 32;

  private static final int CONTAINER = 64;
  private static final int ENTRY = 48;
  private static final int MAX_TEXT = 16 << 20;
  private static final int MAX_INTEGER_BYTES = 255;
  private static final Object MARK = new Object();

  private final SourceFile file;
  private final ByteReader in;
  private final Map<String, TorchObjects.Storage> storages = new LinkedHashMap<>();
  private final ArrayList<Object> stack = new ArrayList<>();
  private final ArrayList<Object> memo = new ArrayList<>();

  Unpickler(SourceFile file, ByteReader in) {
    this.file = file;
    this.in = in;
  }

  /// The storages met so far, by key.
  Map<String, TorchObjects.Storage> storages() {
    return storages;
  }

  /// Reads one pickle, to its STOP.
  ///
  /// @throws CheckpointException if it is damaged, or names what is not allowed
  Object load() {
    stack.clear();
    memo.clear();
    try {
      while (true) {
        int opcode = in.u8();
        file.spend(STEP);
        if (opcode == '.') {
          return pop();
        }
        step(opcode);
      }
    } catch (IllegalArgumentException e) {
      throw in.error("the pickle cannot be read: " + e.getMessage());
    }
  }

  private void step(int opcode) {
    switch (opcode) {
      case 0x80 -> checkProtocol(in.u8()); // PROTO
      case 0x95 -> in.skip(8); // FRAME: its length serves only readers of streams
      case '(' -> push(MARK);
      case '0' -> pop();
      case '1' -> popMark();
      case '2' -> push(top());
      case 'N' -> push(TorchObjects.NONE);
      case 0x88 -> push(true);
      case 0x89 -> push(false);
      case 'J' -> push((long) in.i32());
      case 'K' -> push((long) in.u8());
      case 'M' -> push((long) in.u16());
      case 0x8a -> push(littleEndian(in.u8()));
      case 0x8b -> push(littleEndian(in.i32()));
      case 'G' -> push(ByteBuffer.wrap(in.bytes(8)).getDouble());
      case 'U', 'C' -> push(latin1(in.u8()));
      case 'T', 'B' -> push(latin1(in.i32()));
      case 0x8e -> push(latin1(in.i64()));
      case 0x8c -> push(utf8(in.u8()));
      case 'X' -> push(utf8(in.i32()));
      case 0x8d -> push(utf8(in.i64()));
      case ']', 0x8f -> push(container(new ArrayList<>()));
      case '}' -> push(container(new LinkedHashMap<>()));
      case ')' -> push(tuple(List.of()));
      case 0x85 -> push(tuple(popLast(1)));
      case 0x86 -> push(tuple(popLast(2)));
      case 0x87 -> push(tuple(popLast(3)));
      case 't' -> push(tuple(popMark()));
      case 0x91 -> push(container(popMark()));
      case 'a' -> append(popLast(1));
      case 'e', 0x90 -> append(popMark());
      case 's' -> setTopItems(popLast(2));
      case 'u' -> setTopItems(popMark());
      case 'q' -> remember(in.u8());
      case 'r' -> remember(in.i32());
      case 0x94 -> remember(memo.size());
      case 'h' -> push(remembered(in.u8()));
      case 'j' -> push(remembered(in.i32()));
      case 'c' -> push(global(in.line(), in.line()));
      case 0x93 -> {
        var names = popLast(2);
        push(global(TorchObjects.key(names.get(0)), TorchObjects.key(names.get(1))));
      }
      case 'R', 0x81 -> push(call(popLast(2))); // REDUCE, NEWOBJ
      case 'b' -> build(pop());
      case 'Q' -> push(storage(pop()));
      default ->
          throw in.error(
              String.format(
                  Locale.ROOT,
                  "pickle opcode 0x%02x, which no checkpoint needs: damaged, or not made by"
                      + " torch.save",
                  opcode));
    }
  }

  private void checkProtocol(int protocol) {
    if (protocol > 5) {
      throw in.error("pickle protocol " + protocol + "; up to 5 are read");
    }
  }

  private void push(Object o) {
    stack.add(o);
  }

  private Object top() {
    if (stack.isEmpty() || stack.getLast() == MARK) {
      throw new IllegalArgumentException("an empty stack");
    }
    return stack.getLast();
  }

  private Object pop() {
    Object top = top();
    stack.removeLast();
    return top;
  }

  private List<Object> popLast(int n) {
    int from = stack.size() - n;
    if (from < 0 || stack.subList(from, stack.size()).contains(MARK)) {
      throw new IllegalArgumentException("fewer than " + n + " values on the stack");
    }
    return popFrom(from);
  }

  private List<Object> popMark() {
    for (int i = stack.size() - 1; i >= 0; i--) {
      if (stack.get(i) == MARK) {
        var items = popFrom(i + 1);
        stack.removeLast();
        return items;
      }
    }
    throw new IllegalArgumentException("no mark on the stack");
  }

  private List<Object> popFrom(int from) {
    var tail = stack.subList(from, stack.size());
    var items = new ArrayList<>(tail);
    tail.clear();
    return items;
  }

  private <T> T container(T made) {
    file.spend(CONTAINER);
    return made;
  }

  private TorchObjects.Tuple tuple(List<Object> items) {
    return container(new TorchObjects.Tuple(items));
  }

  private void append(List<Object> items) {
    if (!(top() instanceof ArrayList<?>)) {
      throw new IllegalArgumentException("items for what is no list");
    }
    @SuppressWarnings("unchecked")
    var list = (ArrayList<Object>) top();
    list.addAll(items);
  }

  private void setTopItems(List<Object> items) {
    if (!(top() instanceof LinkedHashMap<?, ?>)) {
      throw new IllegalArgumentException("keys for what is no dictionary");
    }
    @SuppressWarnings("unchecked")
    var dict = (LinkedHashMap<Object, Object>) top();
    if (items.size() % 2 != 0) {
      throw new IllegalArgumentException("a dictionary key without a value");
    }
    file.spend((long) ENTRY * items.size() / 2);
    for (int i = 0; i < items.size(); i += 2) {
      dict.put(TorchObjects.key(items.get(i)), items.get(i + 1));
    }
  }

  /// Pickles count up what they remember.
  private void remember(int index) {
    if (index < 0 || index > memo.size()) {
      throw new IllegalArgumentException(
          "value %d is remembered after %d".formatted(index, memo.size()));
    }
    if (index == memo.size()) {
      memo.add(top());
    } else {
      memo.set(index, top());
    }
  }

  private Object remembered(int index) {
    if (index < 0 || index >= memo.size()) {
      throw new IllegalArgumentException("nothing remembered as " + index);
    }
    return memo.get(index);
  }

  private Object global(Object module, Object name) {
    Object found = TorchObjects.find(module + "." + name);
    if (found == null) {
      throw in.error(
          "names \"%s.%s\", which is not allowed: only tensors, numbers, strings and containers are read. In PyTorch, save the state_dict alone, or convert it to safetensors"
              .formatted(module, name));
    }
    return found;
  }

  private Object call(List<Object> functionAndArguments) {
    if (functionAndArguments.get(0) instanceof TorchObjects.Function f
        && functionAndArguments.get(1) instanceof TorchObjects.Tuple(var args)) {
      if (f.copies()) {
        file.spend((long) ENTRY * TorchObjects.length(args));
      }
      return container(f.call(args));
    }
    throw new IllegalArgumentException("a call of what is no function");
  }

  /// The only state that state dictionaries have is `_metadata`, the modules' versions, which
  /// nothing here depends on.
  private void build(Object state) {
    if (!(top() instanceof LinkedHashMap<?, ?>)
        || !(state instanceof Map<?, ?> map)
        || !(map.isEmpty() || (map.size() == 1 && map.containsKey("_metadata")))) {
      throw new IllegalArgumentException("an object has state of its own");
    }
  }

  private TorchObjects.Storage storage(Object id) {
    var storage = TorchObjects.storage(id);
    var before = storages.putIfAbsent(storage.key(), storage);
    if (before != null && !before.equals(storage)) {
      throw new IllegalArgumentException(
          "storage %s has two types or sizes".formatted(storage.key()));
    }
    return storage;
  }

  private String utf8(long length) {
    checkText(length);
    return in.utf8(length);
  }

  private void checkText(long length) {
    if (length > MAX_TEXT) {
      throw in.error("a text of %d bytes; at most %d are read".formatted(length, MAX_TEXT));
    }
    file.spend(2 * Math.max(0, length));
  }

  private String latin1(long length) {
    checkText(length);
    return new String(in.bytes(length), StandardCharsets.ISO_8859_1);
  }

  private Number littleEndian(long length) {
    if (length > MAX_INTEGER_BYTES) {
      throw new IllegalArgumentException("an integer of " + length + " bytes");
    }
    byte[] little = in.bytes(length);
    var big = new byte[little.length + 1];
    for (int i = 0; i < little.length; i++) {
      big[little.length - i] = little[i];
    }
    big[0] = (byte) (little.length > 0 && little[little.length - 1] < 0 ? -1 : 0);
    return narrow(new BigInteger(big));
  }

  private static Number narrow(BigInteger i) {
    return i.bitLength() < Long.SIZE ? (Number) i.longValue() : i;
  }
}
