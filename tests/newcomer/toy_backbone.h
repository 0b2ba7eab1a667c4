#pragma once

#include "models/backbones/backbone.h"

namespace mtlprune {

Registry<Backbone>::Entry toy_backbone();

}  // namespace mtlprune
