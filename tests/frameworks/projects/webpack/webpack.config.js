module.exports = { mode: "development", devServer: { static: "public" } };
