// TorchScript: a module made of named tensors and source text, saved to memory.

#include "call.hpp"

#include <ATen/ops/empty.h>
#include <torch/csrc/jit/api/module.h>

#include <map>
#include <memory>
#include <sstream>
#include <string>

namespace {

using torch::jit::Module;

// A module with its submodules, by their dotted paths.
struct Tree {
  std::shared_ptr<torch::jit::CompilationUnit> unit = std::make_shared<torch::jit::CompilationUnit>();
  std::map<std::string, Module> modules;
  std::string name;

  explicit Tree(const char *name) : name(name) { add("", name); }

  // The class of each module has its path's name, so that the saved code can be read.
  Module &add(const std::string &path, const std::string &class_name) {
    Module made(c10::QualifiedName("__torch__." + class_name), unit, /*shouldMangle=*/true);
    made.register_attribute("training", c10::BoolType::get(), false);  // Python's modules have it
    return modules.emplace(path, made).first->second;
  }

  // The module at a path; made with those above it, if it is not there yet.
  Module &at(const std::string &path) {
    auto found = modules.find(path);
    if (found != modules.end()) return found->second;
    auto class_name = name + "_" + path;
    for (auto &letter : class_name) {
      if (letter == '.') letter = '_';
    }
    auto &made = add(path, class_name);
    at(parent(path)).register_module(leaf(path), made);
    return made;
  }

  static std::string parent(const std::string &path) {
    auto dot = path.rfind('.');
    return dot == std::string::npos ? "" : path.substr(0, dot);
  }

  static std::string leaf(const std::string &path) { return path.substr(path.rfind('.') + 1); }  // npos + 1 is 0
};

}  // namespace

extern "C" {

// The bytes of a module: `tensors` under their dotted `names`, parameters or else buffers, the methods of `source`, and the
// text `extra` in a file of that name. A new byte tensor that the caller owns.
char *abbe_script(const char *class_name, const char *const *names, at::Tensor *const *tensors, const bool *are_parameters,
                  size_t count, const char *source, const char *extra_name, const char *extra, at::Tensor **bytes) {
  return message_of([&] {
    Tree tree(class_name);
    for (size_t i = 0; i < count; ++i) {
      auto &module = tree.at(Tree::parent(names[i]));
      module.register_parameter(Tree::leaf(names[i]), *tensors[i], /*is_buffer=*/!are_parameters[i]);
    }
    auto &root = tree.at("");
    root.define(source);
    std::ostringstream stream;
    root.save(stream, {{extra_name, extra}});
    auto text = std::move(stream).str();
    auto made = at::empty({static_cast<int64_t>(text.size())}, at::kByte);
    std::memcpy(made.data_ptr(), text.data(), text.size());
    *bytes = new at::Tensor(std::move(made));
  });
}

}  // extern "C"
