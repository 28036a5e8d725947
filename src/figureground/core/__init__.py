"""Ground floor: types, options, errors, registry. Imports nothing of figureground but itself."""
