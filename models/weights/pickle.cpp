#include "models/weights/pickle.h"

#include <fmt/format.h>

#include <array>
#include <cstring>
#include <memory>
#include <unordered_map>
#include <utility>

#include "base/error.h"

namespace mtlprune {
namespace {

constexpr const char* kPickleSubject = "weights file";

struct Value;
using Values = std::vector<Value*>;

/// What stands on the stack of the pickle machine.
struct Value {
    enum class Kind { mark, none, number, text, sequence, dictionary, global, storage, tensor, object };
    Kind kind;
    int64_t number = 0;
    std::string text = {};  ///< of a global "module name", of an object its class
    Values items = {};      ///< of a sequence; of a dictionary keys and values in turn
    PickledTensor tensor = {};
};

using Kind = Value::Kind;

std::string describe(const Value& value) {
    switch (value.kind) {
        case Kind::object:
            return fmt::format("an object of the Python class {}", value.text);
        case Kind::global:
            return fmt::format("the Python name {}", value.text);
        case Kind::dictionary:
            return "a dictionary";
        case Kind::sequence:
            return "a list or tuple";
        case Kind::text:
            return "a string";
        case Kind::number:
            return "a number";
        case Kind::tensor:
            return "a tensor";
        default:
            return "another value";
    }
}

/// Runs one pickle. All values belong to the machine, so that no file can build cycles that stay.
class Machine {
  public:
    Machine(std::string_view bytes, const std::string& place) : bytes_(bytes), place_(place) {}

    const Value& run() {
        while (true) {
            const char code = byte();
            if (code == '.') return pop();
            execute(code);
        }
    }

    size_t position() const { return position_; }

  private:
    [[noreturn]] void fail(const std::string& found) const {
        throw Error(kPickleSubject, fmt::format("{}, byte {} of its pickle", place_, position_),
                    "a state dict as torch.save writes it", found);
    }

    std::string_view take(size_t count) {
        if (count > bytes_.size() - position_) fail("its end");
        const auto part = bytes_.substr(position_, count);
        position_ += count;
        return part;
    }

    char byte() { return take(1)[0]; }

    /// Little-endian, as pickles are.
    template <typename T>
    T integer() {
        T value;
        std::memcpy(&value, take(sizeof(T)).data(), sizeof(T));
        return value;
    }

    std::string_view line() {
        const size_t end = bytes_.find('\n', position_);
        if (end == std::string_view::npos) fail("its end");
        const auto text = take(end - position_);
        take(1);
        return text;
    }

    Value& made(Value value) {
        owned_.push_back(std::make_unique<Value>(std::move(value)));
        return *owned_.back();
    }

    Value& push(Value value) {
        auto& made_value = made(std::move(value));
        stack_.push_back(&made_value);
        return made_value;
    }

    void push_text(std::string_view text) { push({.kind = Kind::text, .text = std::string(text)}); }
    void push_number(int64_t number) { push({.kind = Kind::number, .number = number}); }

    Value& pop() {
        if (stack_.empty() || stack_.back()->kind == Kind::mark) fail("a damaged pickle");
        auto& value = *stack_.back();
        stack_.pop_back();
        return value;
    }

    Value& top(Kind kind) {
        if (stack_.empty() || stack_.back()->kind != kind) fail("a damaged pickle");
        return *stack_.back();
    }

    /// Everything above the last mark, which leaves too.
    Values since_mark() {
        size_t first = stack_.size();
        while (first > 0 && stack_[first - 1]->kind != Kind::mark) --first;
        if (first == 0) fail("a damaged pickle");
        const Values items(stack_.begin() + static_cast<int64_t>(first), stack_.end());
        stack_.resize(first - 1);
        return items;
    }

    void push_tuple(size_t count) {
        Values items(count);
        for (size_t i = count; i-- > 0;) items[i] = &pop();
        push({.kind = Kind::sequence, .items = std::move(items)});
    }

    void remember(uint32_t number) { memo_[number] = stack_.empty() ? nullptr : stack_.back(); }

    void recall(uint32_t number) {
        const auto found = memo_.find(number);
        if (found == memo_.end() || found->second == nullptr || found->second->kind == Kind::mark)
            fail("a damaged pickle");
        stack_.push_back(found->second);
    }

    void append(const Values& items) {
        auto& list = top(Kind::sequence);
        list.items.insert(list.items.end(), items.begin(), items.end());
    }

    void set_items(const Values& items) {
        if (stack_.empty() || items.size() % 2 != 0) fail("a damaged pickle");
        auto& target = *stack_.back();
        if (target.kind == Kind::dictionary)
            target.items.insert(target.items.end(), items.begin(), items.end());
        else if (target.kind != Kind::object)
            fail("a damaged pickle");
    }

    /// ("storage", type, key, device, elements)
    void push_storage() {
        const auto& id = pop();
        const auto& items = id.items;
        const bool fits = id.kind == Kind::sequence && items.size() >= 5 && items[0]->text == "storage" &&
                          items[1]->kind == Kind::global && items[2]->kind == Kind::text &&
                          items[4]->kind == Kind::number;
        if (!fits) fail("a storage of another form");
        const auto& type = items[1]->text;
        push({.kind = Kind::storage,
              .tensor = {.type = type.substr(type.rfind(' ') + 1),
                         .storage = items[2]->text,
                         .elements = items[4]->number}});
    }

    std::vector<int64_t> numbers(const Value& value) const {
        if (value.kind != Kind::sequence) fail("a tensor of another form");
        std::vector<int64_t> result;
        for (const auto* item : value.items) {
            if (item->kind != Kind::number) fail("a tensor of another form");
            result.push_back(item->number);
        }
        return result;
    }

    /// _rebuild_tensor_v2(storage, offset, sizes, strides, ...)
    void push_tensor(const Values& arguments) {
        if (arguments.size() < 4 || arguments[0]->kind != Kind::storage || arguments[1]->kind != Kind::number)
            fail("a tensor of another form");
        auto tensor = arguments[0]->tensor;
        tensor.offset = arguments[1]->number;
        tensor.sizes = numbers(*arguments[2]);
        tensor.strides = numbers(*arguments[3]);
        push({.kind = Kind::tensor, .tensor = std::move(tensor)});
    }

    /// A dictionary of pairs.
    void push_ordered(const Values& arguments) {
        auto& dictionary = push({.kind = Kind::dictionary});
        if (arguments.empty()) return;
        for (const auto* pair : arguments[0]->items) {
            if (pair->items.size() != 2) fail("a damaged pickle");
            dictionary.items.insert(dictionary.items.end(), pair->items.begin(), pair->items.end());
        }
    }

    void call() {
        const auto& arguments = pop();
        const auto& function = pop();
        if (arguments.kind != Kind::sequence) fail("a damaged pickle");
        const auto& name = function.text;
        if (name == "collections OrderedDict") return push_ordered(arguments.items);
        if (name == "torch._utils _rebuild_tensor_v2" || name == "torch._utils _rebuild_tensor")
            return push_tensor(arguments.items);
        // A parameter is its tensor; C++ programs write the types of containers beside them.
        const bool wraps =
            name == "torch._utils _rebuild_parameter" || name == "torch.jit._pickle restore_type_tag";
        if (wraps && !arguments.items.empty()) return stack_.push_back(arguments.items[0]);
        push({.kind = Kind::object, .text = name});
    }

    void execute_container(char code) {
        switch (code) {
            case '}':
                push({.kind = Kind::dictionary});
                return;
            case ']':
            case ')':
                push({.kind = Kind::sequence});
                return;
            case '(':
                push({.kind = Kind::mark});
                return;
            case 't':
                push({.kind = Kind::sequence, .items = since_mark()});
                return;
            case '\x85':
            case '\x86':
            case '\x87':
                return push_tuple(static_cast<size_t>(static_cast<unsigned char>(code) - 0x84));
            case 'e':
                return append(since_mark());
            case 'a': {
                auto& item = pop();
                return append({&item});
            }
            case 'u':
                return set_items(since_mark());
            case 's': {
                auto &value = pop(), &key = pop();
                return set_items({&key, &value});
            }
            default:
                fail(fmt::format("the pickle instruction 0x{:02x}", static_cast<unsigned char>(code)));
        }
    }

    void execute_number(char code) {
        switch (code) {
            case '\x88':
            case '\x89':
                return push_number(code == '\x88' ? 1 : 0);
            case 'K':
                return push_number(integer<uint8_t>());
            case 'M':
                return push_number(integer<uint16_t>());
            case 'J':
                return push_number(integer<int32_t>());
            case '\x8a': {  // long ones stand for no size
                const auto size = integer<uint8_t>();
                const auto digits = take(size);
                int64_t value = size > 0 && (digits.back() & 0x80) != 0 ? -1 : 0;
                std::memcpy(&value, digits.data(), std::min<size_t>(size, sizeof(value)));
                return push_number(value);
            }
            case 'G':
                take(8);
                push({.kind = Kind::object, .text = "float"});
                return;
            default:
                return execute_container(code);
        }
    }

    void execute(char code) {
        switch (code) {
            case '\x80':
                take(1);
                return;
            case 'X':
                return push_text(take(integer<uint32_t>()));
            case 'U':
            case '\x8c':
                return push_text(take(integer<uint8_t>()));
            case 'T':
            case 'B':
                return push_text(take(integer<uint32_t>()));
            case 'C':
                return push_text(take(integer<uint8_t>()));
            case 'N':
                push({.kind = Kind::none});
                return;
            case 'c': {
                const auto module = line(), name = line();
                push({.kind = Kind::global, .text = fmt::format("{} {}", module, name)});
                return;
            }
            case 'q':
                return remember(integer<uint8_t>());
            case 'r':
                return remember(integer<uint32_t>());
            case 'h':
                return recall(integer<uint8_t>());
            case 'j':
                return recall(integer<uint32_t>());
            case 'Q':
                return push_storage();
            case 'R':
            case '\x81':
                return call();
            case 'b':  // what an object holds beside its entries
                pop();
                return;
            default:
                return execute_number(code);
        }
    }

    std::string_view bytes_;
    const std::string& place_;
    size_t position_ = 0;
    std::vector<std::unique_ptr<Value>> owned_;
    std::vector<Value*> stack_;
    std::unordered_map<uint32_t, Value*> memo_;
};

const Value* entry(const Value& dictionary, std::string_view key) {
    for (size_t i = 0; i + 1 < dictionary.items.size(); i += 2)
        if (dictionary.items[i]->kind == Kind::text && dictionary.items[i]->text == key)
            return dictionary.items[i + 1];
    return nullptr;
}

bool holds_tensors(const Value& dictionary) {
    for (size_t i = 1; i < dictionary.items.size(); i += 2)
        if (dictionary.items[i]->kind == Kind::tensor) return true;
    return false;
}

/// The dictionary itself, or the one that a training checkpoint holds.
const Value& state_dict_in(const Value& value) {
    if (value.kind != Kind::dictionary || holds_tensors(value)) return value;
    for (const char* key : {"state_dict", "model_state_dict", "model", "net", "weights"})
        if (const auto* inner = entry(value, key); inner != nullptr && inner->kind == Kind::dictionary)
            return *inner;
    return value;
}

}  // namespace

PickledStateDict read_state_dict_pickle(std::string_view bytes, const std::string& place, size_t& end) {
    Machine machine(bytes, place);
    const auto& dictionary = state_dict_in(machine.run());
    end = machine.position();
    if (dictionary.kind != Kind::dictionary)
        throw Error(kPickleSubject, place, "a state dict: names with tensors", describe(dictionary));
    PickledStateDict result;
    for (size_t i = 0; i + 1 < dictionary.items.size(); i += 2) {
        const auto &key = *dictionary.items[i], &value = *dictionary.items[i + 1];
        if (key.kind != Kind::text || value.kind != Kind::tensor)
            throw Error(kPickleSubject, key.kind == Kind::text ? place + ": " + key.text : place,
                        "names with tensors", describe(key.kind == Kind::text ? value : key));
        result.insert_or_assign(key.text, value.tensor);
    }
    return result;
}

std::vector<std::string> read_list_pickle(std::string_view bytes, const std::string& place, size_t& end) {
    Machine machine(bytes, place);
    const auto& list = machine.run();
    end = machine.position();
    std::vector<std::string> texts;
    for (const auto* item : list.items) texts.push_back(item->text);
    return texts;
}

void skip_pickle(std::string_view bytes, const std::string& place, size_t& end) {
    Machine machine(bytes, place);
    machine.run();
    end = machine.position();
}

}  // namespace mtlprune
